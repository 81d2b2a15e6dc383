//! Flags about how the network is reached, and what they come to.

use std::time::Duration;

use clap::Args;

use crate::app::Error;
use crate::app::config::kind::Value;
use crate::app::config::{KeyId, Network, Settings};
use crate::app::dht::NodeConfig;
use crate::app::making::values;
use crate::app::{interface, user_folders};
use crate::base::units;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network;
use crate::face::cli::config;
use crate::face::cli::output::Output;

/// Where the node begins and how it speaks.
#[derive(Args, Clone, Debug)]
pub struct Reach {
    /// Bootstrap from this node instead of the default nodes and those of the last run; can be repeated
    #[arg(long, value_name = "HOST:PORT", value_parser = values::node)]
    bootstrap: Vec<values::Node>,
    /// Use only this local address or network interface
    #[arg(long, value_name = "ADDR|IFACE", value_parser = network::bind)]
    bind: Option<Value>,
    /// Do not use IPv6
    #[arg(long, overrides_with_all = ["ipv6", "no_ipv6"])]
    no_ipv6: bool,
    /// Use IPv6 (default, unless configured otherwise)
    #[arg(long, overrides_with_all = ["ipv6", "no_ipv6"], hide_short_help = true)]
    ipv6: bool,
}

/// The same for what ends by itself.
#[derive(Args, Clone, Debug)]
pub struct Limited {
    /// Time limit
    #[arg(long, value_name = "TIME", value_parser = units::parse_span, default_value = "20s")]
    pub timeout: Duration,
    #[command(flatten)]
    pub reach: Reach,
}

impl Reach {
    /// The settings of a node. What was asked for and cannot be done is refused.
    pub fn config(&self, global: &GlobalArgs, output: &Output) -> Result<NodeConfig, Error> {
        let mut config = config::load(global, output)?;
        if let Some(bind) = &self.bind {
            config.flag(KeyId::NetworkBind, bind.clone(), "--bind");
        }
        if self.ipv6 || self.no_ipv6 {
            let flag = if self.ipv6 { "--ipv6" } else { "--no-ipv6" };
            config.flag(KeyId::NetworkIpv6, Value::Switch(self.ipv6), flag);
        }
        config.setting(KeyId::NetworkProxy).refuse_unsupported()?;
        let Network { bind, ipv6, dht_bootstrap, .. } = Settings::of(&config)?.network;
        let bind = bind.map(|text| interface::address(&text, ipv6)).transpose()?;
        let usual = self.bootstrap.is_empty();
        let bootstrap =
            if usual { dht_bootstrap } else { self.bootstrap.iter().map(ToString::to_string).collect() };
        let file = user_folders::cache().filter(|_| usual).map(|folder| folder.join("dht-nodes"));
        Ok(NodeConfig { bind, ipv6, bootstrap, file, ..NodeConfig::default() })
    }
}
