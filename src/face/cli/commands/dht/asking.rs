//! A node for the time of one command, and what it is asked to find.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout, timeout_at};

use crate::app::dht::{Goal, Node, NodeConfig, Outcome, Status, TaskProgress, TaskUpdate};
use crate::app::making::values;
use crate::app::{Error, ErrorKind};
use crate::base::units;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::signals::{self, AtOnce, Signals};
use crate::face::cli::transfer::block_on;

use super::reach::Limited;

/// How often the line at the bottom of a terminal is drawn anew.
const FRAME: Duration = Duration::from_millis(200);
/// The longest the end of a node may take.
const STOP: Duration = Duration::from_secs(1);

/// A node that asks for one command.
pub struct Asking<'a> {
    node: Node,
    output: &'a Output,
    began: Instant,
    end: Instant,
    /// Ends the process on a signal, until a search begins.
    at_once: AtOnce,
    /// The exit code of the command, once a signal has stopped it.
    stop: watch::Receiver<Option<Exit>>,
}

/// The result of a search.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// The outcome of the search, or its state when the time ran out.
    pub outcome: Outcome,
    /// Whether the time ran out before the search had ended.
    pub cut: bool,
    /// The exit code of the command, if a signal ended the search.
    pub stopped: Option<Exit>,
    /// The duration of the search.
    pub time: Duration,
}

/// Runs what asks, with a node that answers nobody and ends with it.
pub fn ask(
    limits: &Limited,
    global: &GlobalArgs,
    output: &Output,
    work: impl AsyncFnOnce(&Asking<'_>) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let config = NodeConfig { read_only: true, ..limits.reach.config(global, output)? };
    let at_once = signals::end_at_once(output);
    block_on(output, async {
        let stop = stop()?;
        let node = Node::start(config).await.map_err(Error::from)?;
        let began = Instant::now();
        let end = began.checked_add(limits.timeout).unwrap_or(began + Duration::from_secs(86_400));
        let asking = Asking { node, output, began, end, at_once, stop };
        let result = work(&asking).await;
        // What it has learned is worth a moment, not more.
        let _ = timeout(STOP, asking.node.stop()).await;
        result
    })
}

/// Listens for signals. The first one has what was found so far told, another one ends the process.
fn stop() -> Result<watch::Receiver<Option<Exit>>, Error> {
    let mut signals = Signals::take().map_err(|error| {
        Error::new(ErrorKind::Internal, "internal", format!("cannot install signal handlers: {error}"))
    })?;
    let (tell, stop) = watch::channel(None);
    tokio::spawn(async move {
        let _ = tell.send(Some(signals.next().await));
        std::process::exit(i32::from(signals.next().await.code()));
    });
    Ok(stop)
}

impl Asking<'_> {
    /// Has the node do something. What it finds on the way is told to `each`, which may call it enough.
    pub async fn seek(
        &self,
        goal: Goal,
        mut each: impl FnMut(TaskUpdate) -> Result<ControlFlow<()>, Error>,
    ) -> Result<Sought, Error> {
        let began = Instant::now();
        self.at_once.leave();
        let mut news = self.node.begin(goal);
        let mut sought = Sought::default();
        loop {
            match self.next(&mut news, &sought, began).await {
                Some(TaskUpdate::Ended(outcome)) => {
                    sought.outcome = outcome;
                    break;
                }
                Some(TaskUpdate::Progress(TaskProgress { asked, answered, stored, refused })) => {
                    sought.outcome =
                        Outcome { asked, answered, stored, refused, ..std::mem::take(&mut sought.outcome) };
                }
                Some(found) => {
                    if let TaskUpdate::Peers(peers) = &found {
                        sought.outcome.peers += peers.len() as u32;
                    }
                    self.output.live.erase();
                    if each(found)?.is_break() {
                        break;
                    }
                }
                None => {
                    sought.cut = true;
                    sought.stopped = self.stopped();
                    break;
                }
            }
        }
        self.output.live.erase();
        sought.time = began.elapsed();
        Ok(sought)
    }

    /// The next news, with the line at the bottom drawn meanwhile; nothing when the time is up or a signal came.
    async fn next(
        &self,
        news: &mut UnboundedReceiver<TaskUpdate>,
        sought: &Sought,
        began: Instant,
    ) -> Option<TaskUpdate> {
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut stop = self.stop.clone();
        let waiting = async {
            loop {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(Option::is_some) => return None,
                    next = news.recv() => return next,
                    _ = frames.tick() => self.draw(sought, began),
                }
            }
        };
        timeout_at(self.end.into(), waiting).await.ok().flatten()
    }

    fn draw(&self, sought: &Sought, began: Instant) {
        if self.output.progress != Progress::Bar {
            return;
        }
        let Outcome { asked, answered, peers, .. } = &sought.outcome;
        let mut line = if *asked == 0 {
            "looking for nodes".to_owned()
        } else {
            format!("{} asked, {} answered", nodes(*asked), units::count(u64::from(*answered)))
        };
        if *peers > 0 {
            line += &format!(", {}", units::plural(u64::from(*peers), "peer", "peers"));
        }
        line += &format!("   {}", units::span(began.elapsed()));
        let line = self.output.err.fit_line(&line, self.output.columns().saturating_sub(1));
        self.output.live.draw(vec![line]);
    }

    /// How the node is doing.
    pub fn status(&self) -> Status {
        self.node.status()
    }

    /// Returns the exit code of the command, if a signal has stopped it.
    pub fn stopped(&self) -> Option<Exit> {
        *self.stop.borrow()
    }

    /// How long the command has been at it.
    pub fn time(&self) -> Duration {
        self.began.elapsed()
    }

    /// The address of a node that is known by name, of a family that can be reached.
    pub async fn address(&self, name: &values::Node) -> Result<SocketAddr, Error> {
        let status = self.status();
        let reachable = |addr: &SocketAddr| match addr {
            SocketAddr::V4(_) => status.v4.is_some(),
            SocketAddr::V6(_) => status.v6.is_some(),
        };
        let found = timeout_at(self.end.into(), tokio::net::lookup_host((name.0.as_str(), name.1))).await;
        let found: Vec<SocketAddr> = found.ok().and_then(Result::ok).into_iter().flatten().collect();
        if found.is_empty() {
            return Err(Error::new(
                ErrorKind::Network,
                "unknown_name",
                format!("host not found: {}", name.0),
            )
            .hint("check the spelling, or give an address"));
        }
        found.into_iter().find(reachable).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "network", format!("{name} cannot be reached from here"))
                .hint("--bind and --no-ipv6 limit the addresses that torr uses")
        })
    }
}

impl Sought {
    /// Returns the exit code of the command, which depends on whether the search found anything and on
    /// whether any node answered.
    pub fn exit(&self, found: bool) -> Result<Exit, Error> {
        if let Some(exit) = self.stopped {
            return Ok(exit);
        }
        match (found, self.outcome.answered) {
            (true, _) => Ok(Exit::Done),
            (false, 1..) => Ok(Exit::No),
            (false, 0) => Err(self.nobody()),
        }
    }

    /// No node answered.
    fn nobody(&self) -> Error {
        let message = match self.outcome.asked {
            0 if self.cut => "timed out before torr found a node to ask".to_owned(),
            0 => "no node to ask: none is known, and no bootstrap host was found".to_owned(),
            1 => "the only known node did not answer".to_owned(),
            asked => format!("none of {} nodes answered", units::count(u64::from(asked))),
        };
        Error::new(ErrorKind::Network, "no_node", message).hint(
            "check that the network lets UDP through, or start at another node with --bootstrap HOST:PORT",
        )
    }

    /// How many were asked and answered, and how long that took.
    pub fn steps(&self) -> String {
        let answered = units::count(u64::from(self.outcome.answered));
        let cut = match (self.stopped, self.cut) {
            (Some(_), _) => ", then stopped",
            (None, true) => ", then timed out",
            (None, false) => "",
        };
        format!("{} asked, {answered} answered, {}{cut}", nodes(self.outcome.asked), took(self.time))
    }
}

/// `1 node`, `2 nodes`.
pub fn nodes(number: u32) -> String {
    units::plural(u64::from(number), "node", "nodes")
}

/// A span of time that was measured: `4 ms`, `1.3 s`, `2 min 5 s`.
pub fn took(time: Duration) -> String {
    match time.as_millis() {
        ms @ ..1000 => format!("{} ms", ms.max(1)),
        1000..10_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => units::span(time),
    }
}

/// Seconds for scripts, in thousandths.
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sought(asked: u32, answered: u32) -> Sought {
        Sought { outcome: Outcome { asked, answered, ..Outcome::default() }, ..Sought::default() }
    }

    #[test]
    fn what_a_command_ends_with_depends_on_who_answered() {
        assert_eq!(sought(9, 0).exit(true), Ok(Exit::Done));
        assert_eq!(sought(9, 1).exit(false), Ok(Exit::No));
        for asked in [0, 1, 9] {
            assert_eq!(sought(asked, 0).exit(false).unwrap_err().kind, ErrorKind::Network);
        }
        let stopped = Sought { stopped: Some(Exit::Interrupted), ..sought(9, 0) };
        assert_eq!(stopped.exit(true), Ok(Exit::Interrupted));
        assert!(stopped.steps().ends_with(", then stopped"));
        assert!(sought(9, 0).exit(false).unwrap_err().message.contains("none of 9 nodes"));
    }

    #[test]
    fn times_are_told_with_what_digits_they_have() {
        assert_eq!(
            [took(Duration::from_millis(340)), took(Duration::from_secs(75))],
            ["340 ms", "1 min 15 s"]
        );
        assert!((seconds(Duration::from_micros(1_234_567)) - 1.235).abs() < 1e-9);
        assert_eq!(sought(12, 7).steps(), "12 nodes asked, 7 answered, 1 ms");
    }
}
