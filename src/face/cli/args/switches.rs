//! Switches: each has a flag for on and one for off, and the last one given wins, so that both the configuration and an
//! alias of the shell can be overridden.

use clap::Args;

use crate::app::config::KeyId;

/// Ways to find and reach peers.
#[derive(Args, Clone, Default, Debug)]
#[command(next_help_heading = "Network")]
pub struct Switches {
    /// Do not use trackers
    #[arg(long, overrides_with_all = ["trackers", "no_trackers"])]
    no_trackers: bool,
    /// Do not use the DHT
    #[arg(long, overrides_with_all = ["dht", "no_dht"])]
    no_dht: bool,
    /// Do not use peer exchange (PEX)
    #[arg(long, overrides_with_all = ["pex", "no_pex"])]
    no_pex: bool,
    /// Do not use local service discovery (LSD)
    #[arg(long, overrides_with_all = ["lsd", "no_lsd"])]
    no_lsd: bool,
    /// Do not map the port on the router
    #[arg(long, overrides_with_all = ["upnp", "no_upnp"], hide = true)]
    no_upnp: bool,
    /// Do not use uTP
    #[arg(long, overrides_with_all = ["utp", "no_utp"], hide = true)]
    no_utp: bool,
    /// Do not use IPv6
    #[arg(long, overrides_with_all = ["ipv6", "no_ipv6"])]
    no_ipv6: bool,
    /// Use trackers (default)
    #[arg(long, overrides_with_all = ["trackers", "no_trackers"], hide_short_help = true)]
    trackers: bool,
    /// Use the DHT (default, unless configured otherwise)
    #[arg(long, overrides_with_all = ["dht", "no_dht"], hide_short_help = true)]
    dht: bool,
    /// Use peer exchange (default, unless configured otherwise)
    #[arg(long, overrides_with_all = ["pex", "no_pex"], hide_short_help = true)]
    pex: bool,
    /// Use local service discovery (default, unless configured otherwise)
    #[arg(long, overrides_with_all = ["lsd", "no_lsd"], hide_short_help = true)]
    lsd: bool,
    /// Map the port on the router
    #[arg(long, overrides_with_all = ["upnp", "no_upnp"], hide = true)]
    upnp: bool,
    /// Use uTP
    #[arg(long, overrides_with_all = ["utp", "no_utp"], hide = true)]
    utp: bool,
    /// Use IPv6 (default, unless configured otherwise)
    #[arg(long, overrides_with_all = ["ipv6", "no_ipv6"], hide_short_help = true)]
    ipv6: bool,
}

impl Switches {
    /// Whether trackers are asked.
    pub const fn ask_trackers(&self) -> bool {
        !self.no_trackers
    }

    /// The switches that were given and have a key in the configuration: the key, on or off, the flag.
    pub fn keys(&self) -> Vec<(KeyId, bool, &'static str)> {
        let all = [
            (KeyId::NetworkDht, self.dht, "--dht", self.no_dht, "--no-dht"),
            (KeyId::NetworkPex, self.pex, "--pex", self.no_pex, "--no-pex"),
            (KeyId::NetworkLsd, self.lsd, "--lsd", self.no_lsd, "--no-lsd"),
            (KeyId::NetworkUpnp, self.upnp, "--upnp", self.no_upnp, "--no-upnp"),
            (KeyId::NetworkUtp, self.utp, "--utp", self.no_utp, "--no-utp"),
            (KeyId::NetworkIpv6, self.ipv6, "--ipv6", self.no_ipv6, "--no-ipv6"),
        ];
        let given = all.into_iter().filter(|(_, yes, _, no, _)| *yes || *no);
        given.map(|(key, yes, flag, _, other)| (key, yes, if yes { flag } else { other })).collect()
    }
}
