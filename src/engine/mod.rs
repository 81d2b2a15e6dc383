//! Puts it together: the public door of torr.
//!
//! A face starts an [`Engine`], sends it [`Command`]s through a [`Handle`], hears [`Event`]s and
//! looks at [`View`]s. Behind the door one task per torrent drives its state machine, peers are
//! tasks of their own, and disk threads do whatever touches a file.

mod command;
mod event;
mod view;

pub use command::{Add, After, Alloc, Command, Existing, Until};
pub use event::{Event, Fault, FaultKind};
pub use view::{Detail, PeerRow, Reason, Row, State, TrackerRow, View};
