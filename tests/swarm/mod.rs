//! Scenarios of whole swarms in the simulated world (see `sim`), one per file; their names are sentences.

mod a_crowd_shares_what_one_has;
mod a_disk_is_full_and_then_freed;
mod a_hundred_peers_make_a_full_mesh;
mod a_late_comer_finishes;
mod a_parted_swarm_heals;
mod a_slow_peer_does_not_hold_the_last_pieces;
mod a_slow_seed_feeds_a_fast_swarm;
mod a_swarm_that_begins_with_a_link_loses_tracker_and_seed;
mod liars_about_peers_are_not_heard_more;
mod liars_are_found_and_banned;
mod liars_do_not_keep_metadata_from_coming;
mod long_pieces_come_with_little_memory;
mod neighbours_find_one_another_by_multicast;
mod one_real_peer_among_thousands_of_fakes;
mod peers_find_one_another_by_pex_alone;
mod peers_find_one_another_by_the_dht_alone;
mod storms;
mod the_content_is_opened_over_the_same_connections;
mod the_only_seed_leaves_after_one_copy;
mod the_tracker_dies_after_the_first_announce;
mod times;
