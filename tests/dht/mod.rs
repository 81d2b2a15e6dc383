//! Networks of DHT nodes in a simulated world: virtual time, latency, loss, the dead, the lying, all from
//! one seed. Each node runs the real `dht::Dht` and speaks real packets.

mod attackers;
mod distrust;
mod families;
mod finding;
mod moving;
mod network;
mod polite;
mod starting;
mod weapons;
