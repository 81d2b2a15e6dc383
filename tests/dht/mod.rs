//! Networks of DHT nodes in a simulated world: virtual time, latency, loss, the dead, the lying, all from
//! one seed. Each node runs the real `dht::Dht` and speaks real packets.

mod attackers;
mod finding;
mod polite;
mod weapons;
mod world;
