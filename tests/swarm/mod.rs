//! Scenarios of whole swarms in the simulated world (see `sim`), one per file; their names are sentences.

mod a_crowd_shares_what_one_has;
mod a_disk_is_full_and_then_freed;
mod a_late_comer_finishes;
mod a_parted_swarm_heals;
mod a_slow_peer_does_not_hold_the_last_pieces;
mod a_slow_seed_feeds_a_fast_swarm;
mod liars_about_peers_are_not_heard_more;
mod liars_are_found_and_banned;
mod liars_do_not_keep_metadata_from_coming;
mod long_pieces_come_with_little_memory;
mod one_real_peer_among_thousands_of_fakes;
mod peers_find_one_another_by_pex_alone;
mod storms;
mod the_only_seed_leaves_after_one_copy;
mod the_tracker_dies_after_the_first_announce;
mod times;
