//! Two programs that share a torrent file and the DHT, and nothing else.

use std::path::Path;
use std::time::Duration;

use super::{ALONE, Scene};
use crate::loopback::nodes;
use crate::support::program::Program;
use crate::support::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

/// A transfer on this machine with a cache of its own, that begins with this node.
fn transfer(scene: &Scene, verb: &str, folder: &str, node: &str) -> std::process::Command {
    let mut command = scene.command(&[verb, "photos.torrent", "-o", folder, "--bind", "127.0.0.1", "--json"]);
    for (name, _) in ALONE {
        command.env_remove(name);
    }
    command.args(["--state-dir", &format!("state-{folder}")]);
    command.env("XDG_CACHE_HOME", scene.path().join(format!("cache-{folder}")));
    command.env("TORR_NETWORK_DHT_BOOTSTRAP", node);
    command
}

#[test]
fn the_dht_alone_is_enough_and_can_be_switched_off() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let network = runtime.block_on(nodes::network(4));
    let node = nodes::addr(&network[0]).to_string();
    let scene = Scene::new();
    scene.photos();
    let mut seed = transfer(&scene, "seed", ".", &node);
    let mut seeder = Program::start("seed", &mut seed, scene.path());
    wait_for("it seeds", PATIENCE, || {
        seeder.assert_running();
        seeder.output().contains(r#""state":"seeding""#).then_some(())
    });
    wait_for("it is announced", PATIENCE, || {
        network.iter().any(|node| node.status().torrents_kept > 0).then_some(())
    });

    let deaf = Scene::ran(transfer(&scene, "get", "deaf", &node).args(["--no-dht", "--timeout", "3s"]));
    assert_eq!(deaf.code, 4, "{}", deaf.err);
    let got = Scene::ran(transfer(&scene, "get", "got", &node).args(["--timeout", "60s"]));
    assert_eq!(got.code, 0, "{}{}", got.out, got.err);
    for file in ["a.bin", "sub/b.bin", "sub/c.bin"] {
        let read = |folder: &str| std::fs::read(scene.path().join(folder).join("photos").join(file)).unwrap();
        assert!(read("got") == read("."), "{file}");
    }
    assert!(scene.path().join("cache-got/torr/dht-nodes").exists(), "what it learned is kept");
    assert!(!Path::new(&scene.path().join("cache-deaf")).exists());
}
