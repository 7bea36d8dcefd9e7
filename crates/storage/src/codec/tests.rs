use super::*;
use quorate_registry::Command;

fn id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId::new(term, 7).to_committed(), index)
}

fn entries() -> Vec<Entry> {
    let batch = Batch {
        max_age_ms: 30_000,
        step_ms: 1_000,
        commands: vec![Command::Withdraw {
            seen: 4,
            node_id: "worker".to_owned(),
        }],
    };
    let member = Member {
        node_id: "a".to_owned(),
        incarnation: 300,
        address: "http://a:8411".to_owned(),
    };
    let members = Membership::new(vec![BTreeSet::from([7])], BTreeMap::from([(7, member)]))
        .expect("a membership");
    vec![
        Entry {
            log_id: id(2, 9),
            payload: EntryPayload::Blank,
        },
        Entry {
            log_id: id(2, 300),
            payload: EntryPayload::Normal(Proposal(Arc::new(batch))),
        },
        Entry {
            log_id: id(0, 0),
            payload: EntryPayload::Membership(members),
        },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes on disk are the same as in every earlier release. A change of these bytes requires a
/// new record version, and records of the old version must remain readable.
#[test]
fn the_bytes_of_records_stay() {
    let mut bytes: Vec<String> = entries()
        .iter()
        .map(|e| hex(&encode_entry(e).expect("encoded")))
        .collect();
    let mut vote = Vote::new(3, 7);
    vote.committed = true;
    bytes.push(hex(&encode_vote(&vote).expect("encoded")));
    bytes.push(hex(&encode_log_id(id(2, 9)).expect("encoded")));
    insta::assert_snapshot!(bytes.join("\n"));
}

/// A record is decoded to the value that was encoded, and is rejected as the entry of any other
/// index.
#[test]
fn a_record_is_read_as_it_was_written() {
    for entry in entries() {
        let bytes = encode_entry(&entry).expect("encoded");
        let decoded = decode_entry(entry.log_id.index, &bytes).expect("decoded");
        assert_eq!(decoded, entry);
        let wrong = decode_entry(entry.log_id.index + 1, &bytes)
            .expect_err("another index")
            .to_string();
        assert!(wrong.contains(&entry.log_id.index.to_string()), "{wrong}");
    }
}

/// A record with a flipped bit, or with a missing or an additional byte, is never decoded.
#[test]
fn a_damaged_record_is_refused() {
    for entry in entries() {
        let bytes = encode_entry(&entry).expect("encoded");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                decode_entry(entry.log_id.index, &damaged).is_err(),
                "bit {bit}"
            );
        }
        for len in 0..bytes.len() {
            assert!(
                decode_entry(entry.log_id.index, &bytes[..len]).is_err(),
                "{len} bytes"
            );
        }
        assert!(decode_entry(entry.log_id.index, &[&bytes[..], &[0]].concat()).is_err());
    }
}

/// A record of a newer release is reported as newer, and not as damaged.
#[test]
fn a_newer_record_is_told_apart() {
    let mut bytes = encode_log_id(id(2, 9)).expect("encoded");
    bytes[0] = VERSION + 1;
    let crc = checksum(VERSION + 1, &bytes[HEADER..]);
    bytes[1..HEADER].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(
        decode_log_id(&bytes),
        Err(Unreadable::Newer { found: 2, known: 1 })
    ));
}
