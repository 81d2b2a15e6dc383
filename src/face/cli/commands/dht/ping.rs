//! `torr dht ping`: whether a node is there.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use clap::Args;
use serde::Serialize;

use crate::app::dht::{Goal, fits};
use crate::app::making::values;
use crate::app::{Error, ErrorKind};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::hex;
use crate::face::cli::output::Output;

use super::asking::{ask, seconds};
use super::clients;
use super::reach::Limited;

/// Ping a node
///
/// Prints the node's address, ID, round-trip time in milliseconds and client. Exit code 4 if it does not
/// answer.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht ping 192.168.1.20:6881
  torr dht ping router.bittorrent.com:6881 --json")]
pub struct PingArgs {
    /// Address of the node
    #[arg(value_name = "HOST:PORT", value_parser = values::node)]
    node: values::Node,
    #[command(flatten)]
    limits: Limited,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    ok: bool,
    node: SocketAddr,
    id: String,
    fits: bool,
    ms: f64,
    client: Option<&'static str>,
    version: Option<String>,
}

/// Asks it.
pub fn run(args: &PingArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    ask(&args.limits, global, output, async |asking| {
        let node = asking.address(&args.node).await?;
        let sought = asking.seek(Goal::Ping(node), |_| Ok(ControlFlow::Continue(()))).await?;
        let Some(&(id, _)) = sought.outcome.nearest.first() else {
            if let Some(exit) = sought.stopped {
                output.say("stopped");
                return Ok(exit);
            }
            return Err(Error::new(ErrorKind::Network, "no_node", format!("{node} does not answer"))
                .hint("check that it is the UDP port of a node that is not read-only, and that the network lets UDP through"));
        };
        let ms = seconds(sought.time * 1000);
        let version = sought.outcome.version;
        if output.json {
            output.event(&Document {
                schema: "torr.dht.ping/1",
                ok: true,
                node,
                id: id.to_string(),
                fits: fits(&id, node.ip()),
                ms,
                client: version.and_then(clients::name),
                version: version.map(|version| hex(&version)),
            })?;
        } else if output.plain {
            let version = version.map(clients::shown).unwrap_or_default();
            output.line(&format!("{node}\t{id}\t{ms}\t{version}"))?;
        } else {
            output.line(&format!("{node} answers after {ms:.1} ms"))?;
            output.line(&format!("  id    {id}"))?;
            let runs = version.map_or_else(|| "does not say".to_owned(), clients::shown);
            output.line(&format!("  runs  {runs}"))?;
            if !fits(&id, node.ip()) {
                output.line("  its id does not fit its address (BEP 42)")?;
            }
        }
        Ok(Exit::Done)
    })
}
