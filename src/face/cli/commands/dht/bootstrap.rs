//! `torr dht bootstrap`: how well one gets into the network from here.

use std::net::IpAddr;
use std::ops::ControlFlow;

use clap::Args;
use serde::Serialize;

use crate::app::dht::{FamilyStatus, Goal};
use crate::app::{Error, ErrorKind};
use crate::base::units;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

use super::asking::{ask, seconds};
use super::lookup::summary;
use super::reach::Limited;

/// Join the DHT, and report how long it took and the nodes found
///
/// For IPv4 and IPv6, prints the number of nodes found and the external address of this machine, if enough
/// nodes agree on it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht bootstrap
  torr dht bootstrap --bootstrap 192.168.1.20:6881 --json")]
pub struct BootstrapArgs {
    #[command(flatten)]
    limits: Limited,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    ok: bool,
    ipv4: Option<Family>,
    ipv6: Option<Family>,
    asked: u32,
    answered: u32,
    seconds: f64,
}

#[derive(Serialize)]
struct Family {
    nodes: usize,
    id: String,
    address: Option<IpAddr>,
}

/// Gets into the network.
pub fn run(args: &BootstrapArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    ask(&args.limits, global, output, async |asking| {
        let status = asking.status();
        let own = [status.v4, status.v6].into_iter().flatten().next();
        let Some(own) = own else {
            return Err(Error::new(ErrorKind::Usage, "network", "there is no usable local address"));
        };
        let sought = asking.seek(Goal::Nodes(own.id), |_| Ok(ControlFlow::Continue(()))).await?;
        let exit = sought.exit(sought.outcome.answered > 0)?;
        let status = asking.status();
        let families = [("IPv4", "ipv4", status.v4), ("IPv6", "ipv6", status.v6)];
        if output.json {
            let family = |status: Option<FamilyStatus>| {
                status.map(|status| Family {
                    nodes: status.nodes,
                    id: status.id.to_string(),
                    address: status.seen_as,
                })
            };
            output.event(&Document {
                schema: "torr.dht.bootstrap/1",
                ok: exit == Exit::Done,
                ipv4: family(status.v4),
                ipv6: family(status.v6),
                asked: sought.outcome.asked,
                answered: sought.outcome.answered,
                seconds: seconds(asking.time()),
            })?;
            return Ok(exit);
        }
        for (name, word, status) in families {
            let Some(status) = status else { continue };
            let seen = status.seen_as.map(|ip| ip.to_string());
            let line = if output.plain {
                format!("{word}\t{}\t{}", status.nodes, seen.unwrap_or_default())
            } else {
                let nodes = units::plural(status.nodes as u64, "node", "nodes");
                let seen = seen.map(|ip| format!(", which see us at {ip}")).unwrap_or_default();
                format!("{name}  {nodes}{seen}")
            };
            output.line(&line)?;
        }
        summary("in the network", true, &sought, output);
        Ok(exit)
    })
}
