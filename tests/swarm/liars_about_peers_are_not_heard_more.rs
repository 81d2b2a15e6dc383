//! Whoever tells of fifty thousand peers that do not exist cannot hide the one that does.

use std::time::Duration;

use torr::proto::extended::Extension;
use torr::proto::extended::pex::{PexFlags, PexMessage};
use torr::proto::message::Message;
use torr::swarm::event::{Input, PeerKey, Source};

use crate::sim::liar::Manner;
use crate::sim::plan::{KIB, MIB, NodePlan, Plan, address_of, fake_address};
use crate::sim::world::World;

/// The one that has everything, the one that wants it, the one that tells the truth; the others lie.
const SEED: usize = 0;
const LEECH: usize = 1;
const HONEST: usize = 2;
const LIARS: usize = 25;

/// The liars are there first, and tell of 2 000 peers each, again and again. Only what the honest one says leads to
/// the seed.
#[test]
fn one_true_peer_among_fifty_thousand_false_ones_is_found() {
    for seed in 0..3 {
        let nobody = NodePlan { pex: false, ..NodePlan::leech().manner(Manner::AlwaysLies) };
        let node = NodePlan { pex: true, ..NodePlan::leech() };
        let plan = Plan::new(seed, 64 * KIB, MIB)
            .node(NodePlan { pex: true, ..NodePlan::seed() })
            .nodes(2, &node)
            .nodes(LIARS, &nobody);
        let mut world = World::new(plan.silent());
        world.run(Duration::from_secs(1), |_| false);
        let liars = (0..LIARS).map(|liar| address_of(3 + liar)).collect();
        world.hear(LEECH, Input::PeersFound { source: Source::User, addrs: liars });
        world.run(Duration::from_secs(3), |_| false);
        let keys = world.connections_of(LEECH);
        assert_eq!(keys.len(), LIARS);
        for minute in 0..3_u64 {
            for (liar, &peer) in (0..).zip(&keys) {
                world.hear(LEECH, tells(peer, (0..2000).map(|n| minute << 17 | liar << 11 | n)));
            }
            world.run(Duration::from_secs(3 + (minute + 1) * 60), |_| false);
        }
        let tried = world.nodes[LEECH].tally.dials;
        // Now somebody comes who tells the truth, and the liars go on.
        let late = world.now.since_start();
        world.hear(HONEST, Input::PeersFound { source: Source::User, addrs: vec![address_of(LEECH)] });
        world.run(late + Duration::from_secs(2), |_| false);
        let honest = *world.connections_of(LEECH).last().expect("the honest one came");
        assert!(!keys.contains(&honest));
        for (liar, &peer) in (0..).zip(&keys) {
            world.hear(LEECH, tells(peer, (0..2000).map(|n| 3 << 17 | liar << 11 | n)));
        }
        let added = vec![(address_of(SEED), PexFlags::SEED)];
        world.hear(LEECH, heard(honest, &PexMessage { added, dropped: vec![] }));
        let found = world.run(late + Duration::from_secs(60), |world| world.are_complete([LEECH]));
        assert!(found, "seed {seed}: {} dials before\n{}", tried, world.report());
    }
}

fn tells(peer: PeerKey, numbers: impl Iterator<Item = u64>) -> Input {
    let added = numbers.map(|n| (fake_address(n), PexFlags::OUTGOING)).collect();
    heard(peer, &PexMessage { added, dropped: vec![] })
}

fn heard(peer: PeerKey, message: &PexMessage) -> Input {
    Input::MessageReceived {
        peer,
        message: Message::Extended { id: Extension::Pex.our_id(), body: message.encode() },
    }
}
