use super::*;
use crate::tests::script::log_id;
use crate::vfs::sim::SimFs;

const EPOCH: WalEpoch = WalEpoch {
    salt: 0x5EED,
    generation: 7,
    length_bytes: LENGTH_BYTES,
};
const NEXT: WalEpoch = WalEpoch {
    generation: 8,
    ..EPOCH
};

fn dir() -> &'static Path {
    Path::new("/data")
}

fn made() -> SimFs {
    let fs = SimFs::new(1 << 20);
    fs.create_dir_all(dir()).expect("a directory");
    Wal::create(&fs, dir()).expect("it is made");
    fs
}

fn opened(fs: &SimFs, epoch: WalEpoch) -> Result<(Wal, Vec<WalFrame>), OpenError> {
    Wal::open(fs, dir(), &FailStop::new(), epoch)
}

fn records(from: u64, sizes: &[usize]) -> Vec<(u64, Vec<u8>)> {
    let record = |(size, index): (&usize, u64)| (index, vec![index as u8; *size]);
    sizes.iter().zip(from..).map(record).collect()
}

/// Returns a WAL with frames of one, two and three records. The last frame spans several
/// blocks.
fn written() -> (SimFs, Vec<WalFrame>) {
    let fs = made();
    let (mut wal, none) = opened(&fs, EPOCH).expect("it opens");
    assert_eq!(none, []);
    let frames = [
        (None, records(1, &[300])),
        (Some(log_id(2, 1)), records(2, &[0, 10])),
        (Some(log_id(2, 3)), records(4, &[20, 9_000, 30])),
    ];
    let frames = frames.map(|(committed, records)| WalFrame { committed, records });
    for frame in &frames {
        wal.append(frame.committed, frame.records.iter(), true)
            .expect("it is written");
    }
    (fs, frames.into())
}

fn flipped(fs: &SimFs, at: u64) -> SimFs {
    let mut image = fs.live();
    let file = image
        .get_mut(&dir().join(layout::JOURNAL))
        .expect("the WAL");
    file.flip(at, 1 << (at % 8));
    SimFs::of_image(image, 1 << 20, false)
}

/// Frames are read back in the order in which they were written, and later frames are appended
/// after them.
#[test]
fn frames_are_read_as_they_were_written() {
    let (fs, frames) = written();
    let (mut wal, found) = opened(&fs, EPOCH).expect("it opens");
    assert_eq!(found, frames);
    let more = records(7, &[40]);
    wal.append(None, more.iter(), true).expect("it is written");
    let (_, found) = opened(&fs, EPOCH).expect("it opens");
    assert_eq!(found.len(), 4);
    assert_eq!(found[3].records, more);
}

/// A new generation begins at the start of the file, and frames of earlier generations are ignored.
#[test]
fn a_new_generation_is_written_over_the_last() {
    let (fs, _) = written();
    let (mut wal, _) = opened(&fs, EPOCH).expect("it opens");
    assert_eq!(wal.next_epoch(), Some(NEXT));
    wal.start_over(NEXT);
    assert_eq!(wal.next_epoch(), None);
    let (_, found) = opened(&fs, NEXT).expect("it opens");
    assert_eq!(found, []);
    let first = records(7, &[40]);
    wal.append(None, first.iter(), true).expect("it is written");
    let (_, found) = opened(&fs, NEXT).expect("it opens");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].records, first);
}

/// A database that was rolled back to an earlier generation is rejected, and frames of another
/// WAL are ignored.
#[test]
fn a_generation_that_the_database_does_not_know_is_refused() {
    let (fs, _) = written();
    let before = WalEpoch {
        generation: 6,
        ..EPOCH
    };
    let refused = opened(&fs, before).expect_err("a later generation");
    assert!(refused.to_string().contains("raft.redb"), "{refused}");
    let other = WalEpoch { salt: 1, ..EPOCH };
    assert_eq!(opened(&fs, other).expect("it opens").1, []);
}

/// With any wrong byte, either the original frames are read or the WAL is rejected; only the
/// last frame may be dropped as if it were torn.
#[test]
fn no_wrong_byte_is_read_as_data() {
    let (fs, frames) = written();
    let (mut refused, mut torn) = (0, 0);
    let end = 2 * BLOCK_BYTES as u64 + 9_500;
    for at in (0..end).step_by(3) {
        match opened(&flipped(&fs, at), EPOCH) {
            Ok((_, found)) if found == frames => {}
            Ok((_, found)) if found == frames[..2] && at >= 2 * BLOCK_BYTES as u64 => torn += 1,
            Ok((_, found)) => panic!("byte {at}: {} frames", found.len()),
            Err(error) => {
                assert!(error.to_string().contains("raft.journal"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(
        refused > 120 && torn > 3_000,
        "{refused} refused, {torn} torn"
    );
}

/// A missing or truncated WAL is rejected with an error that names the WAL.
#[test]
fn a_journal_that_is_gone_is_refused() {
    let (fs, _) = written();
    let mut image = fs.live();
    let path = dir().join(layout::JOURNAL);
    image
        .get_mut(&path)
        .expect("the WAL")
        .set_len(LENGTH_BYTES - 1);
    let cut = SimFs::of_image(image.clone(), 1 << 20, false);
    let refused = opened(&cut, EPOCH).expect_err("it is cut").to_string();
    assert!(
        refused.contains("length") && refused.contains(layout::JOURNAL),
        "{refused}"
    );
    image.remove(&path);
    let gone = SimFs::of_image(image, 1 << 20, false);
    let refused = opened(&gone, EPOCH).expect_err("it is gone").to_string();
    assert!(
        refused.contains("missing") && refused.contains(layout::JOURNAL),
        "{refused}"
    );
}

/// Records that do not fit into the file are detected before anything is written, and records that
/// pass the check do fit.
#[test]
fn a_journal_has_its_length() {
    let fs = made();
    let (mut wal, _) = opened(&fs, EPOCH).expect("it opens");
    let one = records(1, &[3_900]);
    let mut frames = 0;
    while wal.has_room(1, 3_900) {
        wal.append(Some(log_id(2, 1)), one.iter(), true)
            .expect("it is written");
        frames += 1;
    }
    assert_eq!(frames, LENGTH_BYTES / BLOCK_BYTES as u64);
    assert!(!wal.has_room(1, 0));
    assert_eq!(opened(&fs, EPOCH).expect("it opens").1.len() as u64, frames);
}

/// After a torn frame the next generation begins, so that the torn frame is not read later.
#[test]
fn a_torn_frame_ends_its_generation() {
    let fs = made();
    let (mut wal, _) = opened(&fs, EPOCH).expect("it opens");
    assert_eq!(wal.next_epoch(), None);
    let first = records(1, &[9_000]);
    wal.append(None, first.iter(), true).expect("it is written");
    let (wal, found) = opened(&flipped(&fs, 5_000), EPOCH).expect("it opens");
    assert_eq!(found, []);
    assert_eq!(wal.next_epoch(), Some(NEXT));
}

/// The bytes of frames and of the WAL epoch in the database do not change, because existing
/// directories contain them.
#[test]
fn the_bytes_of_frames_stay() {
    let frame = frame::encode(EPOCH, 3, Some(log_id(2, 9)), records(10, &[3, 0]).iter());
    let epoch = crate::codec::encode(&EPOCH).expect("encoded");
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let frame = hex(&frame.expect("encoded"));
    insta::assert_snapshot!(format!("{}\n{}", frame.trim_end_matches("00"), hex(&epoch)));
}
