//! Machines of a test's own: each a network namespace with one interface, `eth0`, and all of these on one wire.
//! Inside [`isolated`](super::namespace::isolated), with which they end.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::program::Program;
use crate::support::wait::wait_for;

/// For the kernel to make a namespace.
const SETTLE: Duration = Duration::from_secs(10);
/// What the test itself has on the wire.
pub const TESTER: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 254);

/// A machine, as long as the test keeps it.
pub struct Machine {
    pub inside: Inside,
    /// The namespace lives as long as somebody is in it.
    _keeper: Program,
}

/// The way into a machine.
#[derive(Clone, Copy)]
pub struct Inside {
    pub ip: Ipv4Addr,
    keeper: u32,
}

/// So many machines, 10.99.1.1 and so on, each with a link-local IPv6 address as well. None knows any other network,
/// nor a tracker, nor a name server.
pub fn machines(dir: &Path, count: u8) -> Vec<Machine> {
    ip("link add wire type bridge");
    ip("link set wire up");
    ip(&format!("addr add {TESTER}/24 dev wire"));
    (1..=count).map(|number| Machine::new(dir, number)).collect()
}

impl Machine {
    fn new(dir: &Path, number: u8) -> Self {
        let mut keeper = Command::new("unshare");
        keeper.args(["--net", "sleep", "1000000"]);
        let keeper = Program::start(&format!("machine-{number}"), &mut keeper, dir);
        let here = fs::read_link("/proc/self/ns/net").expect("a namespace");
        let there = format!("/proc/{}/ns/net", keeper.id());
        wait_for("a namespace", SETTLE, || fs::read_link(&there).ok().filter(|there| *there != here));
        let inside = Inside { ip: Ipv4Addr::new(10, 99, 1, number), keeper: keeper.id() };
        ip(&format!("link add wire{number} type veth peer name eth0 netns {}", keeper.id()));
        // Nobody else can have its addresses, so it need not ask.
        inside.sh("echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad");
        inside.sh("ip link set lo up");
        inside.sh(&format!("ip addr add {}/24 dev eth0", inside.ip));
        ip(&format!("link set wire{number} master wire up"));
        inside.sh("ip link set eth0 up");
        // Whoever names no interface speaks to groups here, as a machine with a default route does.
        inside.sh("ip route add 224.0.0.0/4 dev eth0");
        wait_for("an IPv6 address", SETTLE, || inside.link_local());
        Self { inside, _keeper: keeper }
    }
}

impl Inside {
    /// The same command on this machine.
    pub fn command(self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/proc/{}/ns/net", self.keeper)).arg("--").arg(command.get_program());
        inside.args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(dir) = command.get_current_dir() {
            inside.current_dir(dir);
        }
        inside
    }

    /// Takes its IPv4 address away.
    pub fn forget_ipv4(self) {
        self.sh("ip -4 addr flush dev eth0");
    }

    fn link_local(self) -> Option<()> {
        let mut show = Command::new("ip");
        show.args("-6 -o addr show dev eth0 scope link -tentative".split(' '))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = self.command(&show).output().expect("ip runs");
        (!output.stdout.is_empty()).then_some(())
    }

    fn sh(self, script: &str) {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        run(&mut self.command(&sh), script);
    }
}

fn ip(arguments: &str) {
    run(Command::new("ip").args(arguments.split(' ')), arguments);
}

fn run(command: &mut Command, what: &str) {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}
