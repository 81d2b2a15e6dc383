//! Cases for each rule and its neighbours, and properties of all rules.

use proptest::prelude::*;

use super::*;

fn told(c: &Circumstances) -> (State, &'static str, String) {
    let (state, reason) = why(c);
    (state, reason.word, reason.text)
}

#[track_caller]
fn says(c: &Circumstances, state: State, word: &str, text: &str) {
    assert_eq!(told(c), (state, told(c).1, text.to_owned()));
    assert_eq!(told(c).1, word);
}

/// A healthy download; each case changes one circumstance.
fn well() -> Circumstances {
    Circumstances {
        trackers: 2,
        trackers_working: 2,
        known: 9,
        peers: 5,
        useful: 5,
        down: 3e7,
        best_copy: 1.0,
        ..Circumstances::default()
    }
}

/// A stalled download.
fn quiet() -> Circumstances {
    Circumstances { down: 0.0, ..well() }
}

/// A stalled download without peers.
fn alone() -> Circumstances {
    Circumstances { peers: 0, useful: 0, known: 0, ..quiet() }
}

/// A stalled download without peers, whose only tracker fails.
fn deaf() -> Circumstances {
    Circumstances { trackers: 1, trackers_working: 0, trackers_failing: 1, ..alone() }
}

#[test]
fn a_fault_comes_before_everything() {
    let fault = Some(("no_space", "cannot write a: no space left".to_owned()));
    let all = Circumstances { fault, paused: true, checking: true, finished: true, ..well() };
    says(&all, State::Error, "no_space", "cannot write a: no space left");
    says(&Circumstances { fault: None, ..all }, State::Paused, "user", "paused by you");
}

#[test]
fn a_pause_comes_before_the_queue() {
    let both = Circumstances { paused: true, queued_behind: Some(5), ..well() };
    says(&both, State::Paused, "user", "paused by you");
    let queued = Circumstances { paused: false, unseen: true, ..both };
    says(&queued, State::Queued, "too_many_active", "waiting its turn: 5 of 5 downloads active");
    let next = Circumstances { queued_behind: None, checking: true, ..queued };
    says(&next, State::Queued, "waiting_for_check", "its files are about to be checked");
}

#[test]
fn checking_comes_before_what_peers_do() {
    let checking = Circumstances { checking: true, finished: true, ..well() };
    let text = "checking files that were already there";
    says(&checking, State::Checking, "added_existing_files", text);
    let timed = Circumstances { check_left: Some(Duration::from_secs(8)), ..checking };
    says(&timed, State::Checking, "added_existing_files", &format!("{text}, 8 s left"));
    assert_eq!(told(&Circumstances { checking: false, ..timed }).0, State::Seeding);
}

#[test]
fn done_says_whether_it_was_meant_to_give_back() {
    let done = Circumstances { finished: true, done: true, wanting: 2, ..well() };
    says(&done, State::Done, "not_seeding", "complete; not seeding");
    let gave = Circumstances { gives_back: true, ..done };
    says(&gave, State::Done, "goal_reached", "complete; the seed limit is reached");
    says(&Circumstances { done: false, ..gave }, State::Seeding, "ok", "uploading to 2 peers");
}

#[test]
fn seeding_says_who_takes() {
    let seeding = Circumstances { finished: true, wanting: 1, ..well() };
    says(&seeding, State::Seeding, "ok", "uploading to 1 peer");
    let idle = Circumstances { wanting: 0, ..seeding.clone() };
    let text = "connected to 5 peers, none needs anything from us";
    says(&idle, State::Seeding, "nobody_interested", text);
    let one = Circumstances { peers: 1, ..idle.clone() };
    says(&one, State::Seeding, "nobody_interested", "connected to 1 peer, which needs nothing from us");
    let none = Circumstances { peers: 0, ..idle };
    says(&none, State::Seeding, "nobody_interested", "no peer is asking for data");
    let full = Circumstances { up: 950_000.0, up_limit: Some(1_000_000), ..seeding };
    says(&full, State::Seeding, "limited_by_you", "uploading at your limit of 977 KiB/s");
    assert_eq!(told(&Circumstances { up: 900_000.0, ..full }).1, "ok");
}

#[test]
fn a_machine_without_a_way_out_is_told_first() {
    let offline = Circumstances { offline: true, private: true, known: 3, refused: 3, ..deaf() };
    says(&offline, State::Waiting, "offline", "this machine is offline: it has no route to the internet");
    assert_eq!(told(&Circumstances { offline: false, ..offline.clone() }).1, "trackers_fail");
    // Somebody is there all the same: it cannot be that.
    assert_eq!(told(&Circumstances { peers: 1, useful: 1, down: 3e7, ..offline }).1, "ok");
}

#[test]
fn nobody_known_says_who_was_asked() {
    let none = |c: &Circumstances, text| says(c, State::Waiting, "no_peers_known", text);
    none(&alone(), "no peers known: 2 trackers report 0 seeds");
    let one = Circumstances { trackers: 1, trackers_working: 1, ..alone() };
    none(&one, "no peers known: 1 tracker reports 0 seeds");
    let some = Circumstances { swarm_seeds: Some(4), ..alone() };
    none(&some, "no peers known, though 2 trackers report 4 seeds");
    let silent = Circumstances { trackers_working: 0, ..alone() };
    none(&silent, "no peers known; 2 trackers silent so far");
    let nowhere = Circumstances { trackers: 0, trackers_working: 0, ..alone() };
    none(&nowhere, "no peers known, and the torrent names no tracker to ask");
    let off = Circumstances { trackers_off: true, ..nowhere };
    none(&off, "no peers known, and trackers are switched off");
}

#[test]
fn the_dht_says_how_many_were_asked() {
    let none = |c: &Circumstances, text| says(c, State::Waiting, "no_peers_known", text);
    let silent = Circumstances { dht: true, trackers_working: 0, ..alone() };
    none(&silent, "no peers known: 2 trackers silent, the DHT is being asked");
    let young = Circumstances { young: true, ..silent.clone() };
    says(&young, State::Downloading, "starting", "looking for peers");
    let deaf = Circumstances { dht_searched: true, ..silent };
    none(&deaf, "no peers known: 2 trackers silent, no DHT node answered");
    let asked = Circumstances { dht_asked: 312, ..deaf };
    none(&asked, "no peers known: 2 trackers silent, DHT 312 nodes asked, 0 peers");
    let working = Circumstances { trackers_working: 2, ..asked.clone() };
    none(&working, "no peers known: 2 trackers report 0 seeds, DHT 312 nodes asked, 0 peers");
    let alone = Circumstances { trackers: 0, dht_asked: 1, ..asked.clone() };
    none(&alone, "no peers known: DHT 1 node asked, 0 peers");
    let off = Circumstances { trackers_off: true, ..alone };
    none(&off, "no peers known: trackers are switched off, DHT 1 node asked, 0 peers");
    let failing = Circumstances { trackers: 1, trackers_failing: 1, ..asked };
    let text = "no peers known: its tracker fails; DHT 312 nodes asked, 0 peers";
    says(&failing, State::Waiting, "trackers_fail", text);
}

#[test]
fn trackers_that_fail_are_quoted() {
    let fails = |c: &Circumstances, text| says(c, State::Waiting, "trackers_fail", text);
    fails(&deaf(), "no peers known, and its tracker fails");
    let why = Some("connection refused".to_owned());
    let one = Circumstances { failure: why.clone(), ..deaf() };
    fails(&one, "no peers known, and its tracker fails: connection refused");
    let two = Circumstances { trackers: 2, trackers_failing: 2, ..one };
    fails(&two, "no peers known, and all 2 trackers fail: connection refused");
    fails(&Circumstances { failure: None, ..two.clone() }, "no peers known, and all 2 trackers fail");
    let refusal = Some("unregistered torrent".to_owned());
    let private = Circumstances { private: true, refusal: refusal.clone(), ..deaf() };
    fails(&private, "private torrent and its tracker refuses us: 'unregistered torrent'");
    let public = Circumstances { refusal, ..two.clone() };
    fails(
        &public,
        "no peers known, and none of its 2 trackers works, one refuses us: 'unregistered torrent'",
    );
    // One of two still works or has not answered.
    assert_eq!(
        told(&Circumstances { trackers_failing: 1, trackers_working: 1, ..two.clone() }).1,
        "no_peers_known"
    );
    assert_eq!(told(&Circumstances { trackers_failing: 1, ..two }).1, "no_peers_known");
}

#[test]
fn a_private_torrent_has_nobody_else_to_ask() {
    let private = |c: &Circumstances, text| says(c, State::Waiting, "dht_off_private", text);
    let two = Circumstances { private: true, ..alone() };
    private(&two, "private torrent: only its trackers may find peers, and they know none");
    let one = Circumstances { trackers: 1, trackers_working: 1, ..two.clone() };
    private(&one, "private torrent: only its tracker may find peers, and it knows none");
    let none = Circumstances { trackers: 0, trackers_working: 0, ..two.clone() };
    private(&none, "private torrent without a tracker: nothing else may find peers");
    let off = Circumstances { trackers_off: true, ..none };
    private(&off, "private torrent, and trackers are switched off: nothing else may find peers");
    let silent = Circumstances { trackers_working: 0, ..two };
    says(&silent, State::Waiting, "no_peers_known", "no peers known; 2 trackers silent so far");
}

#[test]
fn known_peers_that_let_nobody_in_are_counted() {
    let failed = |c: &Circumstances, text| says(c, State::Waiting, "all_connects_failed", text);
    let twelve = Circumstances { known: 12, timed_out: 9, refused: 3, ..alone() };
    failed(&twelve, "none of 12 known peers accepts connections: 9 did not answer, 3 refused");
    let one = Circumstances { known: 1, timed_out: 0, refused: 1, ..alone() };
    failed(&one, "the only known peer refused the connection");
    let asked = Circumstances { swarm_seeds: Some(0), trackers: 3, trackers_working: 3, ..twelve.clone() };
    failed(
        &asked,
        "3 trackers report no seeds; none of 12 known peers accepts connections: 9 did not answer, 3 refused",
    );
    let tracker =
        Circumstances { trackers: 1, trackers_working: 1, known: 1, refused: 0, timed_out: 1, ..asked };
    failed(&tracker, "its tracker reports no seeds; the only known peer did not answer");
    // One of them may still answer.
    let hope = Circumstances { timed_out: 8, ..twelve };
    says(&hope, State::Downloading, "starting", "connecting to 12 peers");
}

#[test]
fn the_first_seconds_need_no_explanation() {
    let young = Circumstances { young: true, trackers_working: 0, ..alone() };
    says(&young, State::Downloading, "starting", "looking for peers");
    assert_eq!(told(&Circumstances { young: false, ..young.clone() }).1, "no_peers_known");
    assert_eq!(told(&Circumstances { trackers_failing: 2, ..young.clone() }).1, "trackers_fail");
    assert_eq!(told(&Circumstances { trackers_working: 2, ..young.clone() }).1, "no_peers_known");
    assert_eq!(told(&Circumstances { trackers: 0, ..young }).1, "no_peers_known");
    let met = Circumstances { young: true, ..quiet() };
    says(&met, State::Downloading, "starting", "starting with 5 peers");
    says(&Circumstances { choking: 5, ..met }, State::Downloading, "starting", "asking 5 peers for pieces");
}

#[test]
fn peers_that_lack_what_we_lack_are_told_apart_from_busy_ones() {
    let lack = |c: &Circumstances, text| says(c, State::Waiting, "peers_lack_pieces", text);
    let four = Circumstances { useful: 0, missing: 212, best_copy: 0.9975, peers: 4, ..quiet() };
    lack(&four, "all 4 peers lack the last 212 pieces; best copy 99.7 %");
    let one = Circumstances { peers: 1, missing: 1, ..four.clone() };
    lack(&one, "the only peer lacks the last piece; best copy 99.7 %");
    let empty = Circumstances { best_copy: 0.0, ..four.clone() };
    lack(&empty, "connected to 4 peers, none has anything we still need");
    lack(&Circumstances { peers: 1, ..empty }, "connected to 1 peer, which has nothing we still need");
    // Something still comes of what was asked for before.
    assert_eq!(told(&Circumstances { down: 9e6, ..four }).0, State::Downloading);
    let busy = |c: &Circumstances, text| says(c, State::Downloading, "choked_by_all", text);
    let all = Circumstances { choking: 5, ..quiet() };
    busy(&all, "5 peers have what we need, all are busy with others");
    let one = Circumstances { useful: 1, choking: 1, ..all.clone() };
    busy(&one, "1 peer has what we need, but is busy with others");
    let limited = Circumstances { up_limit: Some(10_240), ..all.clone() };
    busy(
        &limited,
        "5 peers have what we need, all are busy with others; uploading more helps: your limit is 10 KiB/s",
    );
    assert_eq!(told(&Circumstances { choking: 4, ..all }).1, "slow_peers");
}

#[test]
fn a_limit_comes_before_the_disk_and_the_disk_before_peers() {
    let moves = |c: &Circumstances, word, text| says(c, State::Downloading, word, text);
    let limited = Circumstances { down: 3e6, down_limit: Some(3_000_000), disk_behind: true, ..well() };
    moves(&limited, "limited_by_you", "running at your limit of 2.86 MiB/s");
    let disk = Circumstances { down_limit: Some(4_000_000), disk_rate: 8_388_608.0, ..limited };
    moves(&disk, "disk_slow", "the disk takes 8 MiB/s and is the slowest part");
    let slow = Circumstances { disk_behind: false, ..disk };
    moves(&slow, "slow_peers", "5 peers together send only 2.86 MiB/s");
}

#[test]
fn few_and_slow_peers_are_told_from_a_good_swarm() {
    let moves = |c: &Circumstances, word, text| says(c, State::Downloading, word, text);
    moves(&well(), "ok", "downloading from 5 peers");
    let one = Circumstances { choking: 4, down: 500_000.0, ..well() };
    moves(&one, "slow_peers", "1 peer sends only 488 KiB/s");
    assert_eq!(told(&Circumstances { young: true, ..one.clone() }).1, "ok");
    assert_eq!(told(&Circumstances { useful: 60, peers: 60, ..one.clone() }).1, "ok");
    assert_eq!(told(&Circumstances { down: 2e6, ..one.clone() }).1, "ok");
    let none = Circumstances { down: 100.0, ..one };
    moves(&none, "slow_peers", "1 peer answers our requests, but almost nothing comes");
    let five = Circumstances { choking: 0, ..none };
    moves(&five, "slow_peers", "5 peers answer our requests, but almost nothing comes");
}

prop_compose! {
    fn any_circumstances()(
        flags in any::<[bool; 14]>(), behind in proptest::option::of(0_u32..9), left: Option<u16>,
        counts in proptest::collection::vec(prop_oneof![0_u32..4, any::<u32>()], 14),
        rates in proptest::collection::vec(prop_oneof![Just(0.0), 0.0..1e9, any::<f64>()], 3),
        limits in any::<[Option<u32>; 2]>(), said in any::<[bool; 2]>(), best in 0.0..1.0,
    ) -> Circumstances {
        let words = |yes: bool| yes.then(|| "no".to_owned());
        Circumstances {
            fault: flags[0].then(|| ("io", "broken".to_owned())),
            paused: flags[1], queued_behind: behind.filter(|_| flags[2]), unseen: flags[3], checking: flags[4],
            check_left: left.map(|left| Duration::from_secs(left.into())),
            finished: flags[5], done: flags[6], gives_back: flags[7], young: flags[8], offline: flags[9],
            private: flags[10], trackers_off: flags[11], disk_behind: flags[2],
            trackers: counts[0], trackers_working: counts[1], trackers_failing: counts[2],
            dht: flags[12], dht_searched: flags[13], dht_asked: counts[12],
            refusal: words(said[0]), failure: words(said[1]), swarm_seeds: Some(counts[3]),
            known: counts[4], timed_out: counts[5], refused: counts[6], peers: counts[7], useful: counts[8],
            choking: counts[9], wanting: counts[10], missing: counts[11], best_copy: best,
            down: rates[0], up: rates[1], disk_rate: rates[2],
            down_limit: limits[0].map(u64::from), up_limit: limits[1].map(u64::from),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_there_is_a_known_word_and_a_sentence(c in any_circumstances()) {
        let (state, word, text) = told(&c);
        prop_assert!(state.reasons().contains(&word), "{state:?} {word}");
        prop_assert!(!text.is_empty() && !text.ends_with('.') && !text.contains(char::is_control), "{text:?}");
    }
}
