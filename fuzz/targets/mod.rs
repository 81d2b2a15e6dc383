//! Targets for a fuzzer: each takes any bytes and panics if torr does something with them that it must not do.
//!
//! The binaries for libFuzzer (`fuzz_targets/`) and the test binary of torr, which replays the corpus, include
//! this folder.

pub mod bencode;
pub mod config;
pub mod dht_node;
pub mod dht_saved;
pub mod dont_have;
pub mod draws;
pub mod edit;
pub mod extension_handshake;
pub mod handshake;
pub mod hash_cache;
pub mod http_query;
pub mod http_reply;
pub mod info;
pub mod krpc;
pub mod local_discovery;
pub mod lsd;
pub mod magnet;
pub mod metadata;
pub mod paths;
pub mod percent;
pub mod pex;
pub mod resume_record;
pub mod select;
pub mod sizes;
pub mod splitter;
pub mod swarm_torrent;
pub mod torrent;
pub mod tracker_registry;
pub mod udp_request;
pub mod udp_response;
pub mod untrusted;

/// A target: takes any bytes, and panics if they show a fault.
pub type Target = fn(&[u8]);

/// Calls a macro with the names of all targets, in their order. A target's module, binary and corpus have its name.
macro_rules! with_targets {
    ($call:ident) => {
        $call! {
            bencode,
            config,
            dht_node,
            dht_saved,
            dont_have,
            edit,
            extension_handshake,
            handshake,
            hash_cache,
            http_query,
            http_reply,
            info,
            krpc,
            local_discovery,
            lsd,
            magnet,
            metadata,
            paths,
            percent,
            pex,
            resume_record,
            select,
            sizes,
            splitter,
            swarm_torrent,
            torrent,
            tracker_registry,
            udp_request,
            udp_response,
            untrusted,
        }
    };
}

macro_rules! table {
    ($($name:ident),+ $(,)?) => {
        /// All targets, in the order of their names.
        pub const TARGETS: &[(&str, Target)] = &[$((stringify!($name), $name::run)),+];
    };
}

with_targets!(table);
