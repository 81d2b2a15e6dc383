use proptest::prelude::*;

use super::*;
use crate::store::torrent_store::tests::record;

#[test]
fn a_record_reads_back_what_was_written() {
    let record = record(7);
    assert_eq!(decode(&encode(&record)), Ok(record));
}

#[test]
fn an_old_record_claims_only_what_was_flushed() {
    let new = record(1);
    let old = |extra: &[u8]| {
        let mut out = Vec::new();
        out.extend(OLD.to_le_bytes());
        put_bytes(&mut out, new.id.to_string().as_bytes());
        put_bytes(&mut out, new.folder.as_os_str().as_bytes());
        put_number(&mut out, 0);
        out.push(0);
        put_number(&mut out, 19);
        put_bytes(&mut out, new.written.as_bytes());
        put_number(&mut out, new.uploaded);
        put_number(&mut out, new.downloaded);
        put_time(&mut out, Some(new.added));
        put_time(&mut out, new.finished);
        put_time(&mut out, Some(new.saved));
        out.extend([1, 0]);
        put_bytes(&mut out, extra);
        let digest = hash::sha1(&out);
        out.extend(digest);
        decode(&out).expect("an old record is read")
    };
    let (flushed, written) = (old(b"\0name"), old(b"a boot"));
    assert_eq!((&flushed.flushed, flushed.root_name.as_deref()), (&new.written, Some("name")));
    assert_eq!((&written.flushed, &written.written), (&Bitfield::none(19), &new.written));
    assert_eq!((written.root_name, written.mount, written.running), (None, None, true));
}

fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let digest = hash::sha1(&body);
    body.extend(digest);
    body
}

#[test]
fn a_record_without_unfinished_pieces_is_read_as_one_that_has_none() {
    let record = ResumeRecord { unfinished: BTreeMap::new(), ..record(1) };
    let mut body = encode(&record);
    body.truncate(body.len() - 20 - 8);
    body[0] = WITHOUT_UNFINISHED as u8;
    assert_eq!(decode(&seal(body)), Ok(record));
}

#[test]
fn unfinished_pieces_that_cannot_be_are_damage() {
    let body = encode(&ResumeRecord { unfinished: BTreeMap::new(), ..record(1) });
    let with = |numbers: &[u64]| {
        let mut body = body[..body.len() - 20 - 8].to_vec();
        for &number in numbers {
            put_number(&mut body, number);
        }
        decode(&seal(body)).map(|record| record.unfinished.len())
    };
    let (last, most) = (18, u64::from(MAX_BLOCKS));
    assert_eq!(with(&[2, 0, 1, 4, 5, last, 2, 0, 1, 1, most]), Ok(2));
    let wrong: [&[u64]; 11] = [
        &[],
        &[1],
        &[u64::MAX],
        &[1, 19, 1, 0, 1],
        &[1, 1 << 32, 1, 0, 1],
        &[2, 4, 1, 0, 1, 4, 1, 0, 1],
        &[2, 4, 1, 0, 1, 3, 1, 0, 1],
        &[1, 4, u64::MAX, 0, 1],
        &[1, 4, 1, 5, 5],
        &[1, 4, 2, 5, 8, 7, 9],
        &[1, 4, 1, 0, most + 1],
    ];
    for numbers in wrong {
        assert_eq!(with(numbers), Err(RecordError::Damaged), "{numbers:?}");
    }
}

proptest! {
    #[test]
    fn whatever_follows_is_read_or_damaged(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut body = encode(&ResumeRecord { unfinished: BTreeMap::new(), ..record(1) });
        body.truncate(body.len() - 20 - 8);
        body.extend(&tail);
        if let Ok(read) = decode(&seal(body)) {
            prop_assert_eq!(decode(&encode(&read)), Ok(read));
        }
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let bytes = encode(&record(1));
    for cut in 0..bytes.len() {
        assert_eq!(decode(&bytes[..cut]), Err(RecordError::Damaged));
    }
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode(&bent), Err(RecordError::Damaged));
    }
}

#[test]
fn a_newer_version_is_told_apart_and_bad_counts_do_no_harm() {
    let good = encode(&record(1));
    let mut newer = good[..good.len() - 20].to_vec();
    newer[0] = 9;
    assert_eq!(decode(&seal(newer)), Err(RecordError::Newer));
    for at in 2..good.len() - 20 {
        let mut bent = good[..good.len() - 20].to_vec();
        bent[at] = 0xff;
        // Whatever comes of it, it is an answer.
        let _ = decode(&seal(bent));
    }
}
