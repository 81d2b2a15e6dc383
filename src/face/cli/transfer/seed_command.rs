//! The command that seeds a downloaded torrent later.

use std::path::Path;

use crate::app::quoted;
use crate::app::session_settings::SessionSettings;
use crate::app::state_dir;
use crate::app::submission::SubmittedTorrent;

/// The command that seeds a torrent of this session: one that is remembered is named by its info-hash alone.
pub fn seed_command(torrent: &SubmittedTorrent, settings: &SessionSettings) -> String {
    let short = torrent.info_hashes.short();
    let lan = if settings.is_lan_only() { " --lan" } else { "" };
    match settings.state_dir() {
        Some(state) if state_dir::locate(None).as_deref() == Some(state) => format!("torr seed {short}{lan}"),
        Some(state) => format!("torr seed {short}{lan} --state-dir {}", quoted(state)),
        None => {
            let place = torrent.data_path();
            let here = place == Path::new(".");
            let place = if here { String::new() } else { format!(" -o {}", quoted(&place)) };
            format!("torr seed {}{lan}{place}", torrent.argument)
        }
    }
}
