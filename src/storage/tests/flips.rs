//! One bit of a file is wrong.

use super::crash::block_on;
use super::script::{CAPACITY, Contents, Run, Step, contents_of_image, dir};
use super::slices::in_slices;
use crate::storage::OpenError;
use crate::storage::vfs::sim::{Crash, Image, Random, SimFs};
use std::path::{Path, PathBuf};

/// How many bytes of a sealed directory are flipped at least: every byte of every page that was
/// ever written of the database, and every byte of the snapshot.
const FLIPS_MIN: usize = 65_000;

fn small() -> Vec<Step> {
    vec![
        Step::Identity(2),
        Step::Vote(1, true),
        Step::Append(vec![0, 300]),
        Step::Append(vec![3_000; 3]),
        Step::Committed(3),
        Step::Snapshot(2, 30_000),
        Step::Purge(2),
        Step::Append(vec![300]),
    ]
}

/// What was read from a directory with a wrong bit: exactly what was there (`false`), or the file
/// was refused by name with a reason (`true`), or `allowed` says that it may be. Anything else is wrong.
fn verdict(
    image: Image,
    path: &Path,
    whole: &Contents,
    allowed: impl Fn(&Contents) -> bool,
) -> Result<bool, String> {
    let refused = match contents_of_image(image) {
        Ok(found) if found == *whole || allowed(&found) => return Ok(false),
        Ok(_) => return Err("it was read wrong".to_owned()),
        Err(refused) => refused,
    };
    let said = refused.to_string();
    let (named, what) = match &refused {
        OpenError::Corrupt { file, what, .. } => (file, what.clone()),
        OpenError::Newer { file, found, .. } => (file, format!("has format {found}")),
        _ => return Err(format!("it is not said to be damaged: {said}")),
    };
    if named != path || what.is_empty() || !said.contains(&what) {
        return Err(format!("the refusal does not name it: {said}"));
    }
    if !said.contains(&path.display().to_string()) {
        return Err(format!("the refusal does not name it: {said}"));
    }
    Ok(true)
}

/// Flips a bit of every `step`-th byte of a file of an image that was ever written. How many
/// were flipped and refused.
fn flip(
    image: &Image,
    file: &str,
    step: usize,
    whole: &Contents,
    allowed: impl Fn(&Contents) -> bool + Sync,
) -> (usize, usize) {
    let path: PathBuf = dir().join(file);
    let content = &image[&path];
    // Pages that were never written hold nothing that could be lost.
    let written: Vec<u64> = (0..content.len())
        .filter(|at| content.was_written(*at))
        .step_by(step)
        .collect();
    let slices = in_slices(|slice, slices| {
        let mut random = Random(11 + slice as u64);
        let mut refused = 0;
        for at in written.iter().skip(slice).step_by(slices) {
            let mut image = image.clone();
            image
                .get_mut(&path)
                .expect("the file is in it")
                .flip(*at, 1 << random.below(8));
            match verdict(image, &path, whole, &allowed) {
                Ok(was_refused) => refused += usize::from(was_refused),
                Err(wrong) => panic!("byte {at} of {file}: {wrong}"),
            }
        }
        refused
    });
    (written.len(), slices.into_iter().sum())
}

fn sealed() -> (Image, Contents) {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(&small())).expect("it opens");
    let image = run.fs.live();
    let whole = contents_of_image(image.clone()).expect("it opens");
    assert_eq!(
        whole.held.committed.map(|c| c.index),
        Some(3),
        "the committed id was kept"
    );
    (image, whole)
}

fn snapshot_in(image: &Image) -> String {
    let mut names = image.keys().filter_map(|p| p.file_name());
    let snapshot = names.find(|n| n.to_string_lossy().ends_with(".snap"));
    snapshot.expect("a snapshot").to_string_lossy().into_owned()
}

/// Proves that no wrong byte in a sealed directory is read as data: whichever byte of the database
/// or of the snapshot it is, exactly what was there is read, or the file is refused by name.
#[test]
fn no_wrong_byte_of_a_sealed_directory_is_read_as_data() {
    let (image, whole) = sealed();
    let (database, refused) = flip(&image, "raft.redb", 1, &whole, |_| false);
    println!("{database} bytes of the database flipped, {refused} refused");
    assert!(refused > 3_000, "only {refused} flips were refused");
    let (snapshot, refused) = flip(&image, &snapshot_in(&image), 1, &whole, |_| false);
    println!("{snapshot} bytes of the snapshot flipped, {refused} refused");
    assert_eq!(snapshot, refused, "every byte of a snapshot is checked");
    assert!(
        database + snapshot >= FLIPS_MIN,
        "only {} flips",
        database + snapshot
    );
}

/// Proves that every wrong bit in a snapshot of several blocks is refused, and a missing byte.
#[test]
fn a_wrong_bit_in_a_snapshot_is_refused() {
    let mut run = Run::new(SimFs::new(CAPACITY));
    let steps = [
        Step::Vote(1, true),
        Step::Append(vec![0, 300]),
        Step::Snapshot(1, 140_000),
    ];
    block_on(run.play(&steps)).expect("it opens");
    let image = run.fs.live();
    let whole = contents_of_image(image.clone()).expect("it opens");
    let name = snapshot_in(&image);
    let (flipped, refused) = flip(&image, &name, 61, &whole, |_| false);
    println!("{flipped} flips, {refused} refused");
    assert_eq!(flipped, refused, "every byte of a snapshot is checked");
    let mut truncated = image.clone();
    let file = truncated
        .get_mut(&dir().join(&name))
        .expect("the file is in it");
    file.set_len(file.len() - 1);
    let refused = contents_of_image(truncated)
        .expect_err("a byte is missing")
        .to_string();
    assert!(
        refused.contains(&name) && refused.contains("start the node again"),
        "{refused}"
    );
}

/// What a power cut leaves once the last step of a run is acknowledged.
fn unsealed(run: &Run) -> Image {
    let last = run.history.len() - 1;
    let mut unsealed = None;
    let mut random = Random(1);
    Crash::default().walk(&run.fs.journal(), |crash| {
        if unsealed.is_none() && crash.acknowledged.last() == Some(&last) {
            unsealed = crash.images(&mut random, 0).into_iter().next();
        }
    });
    unsealed.expect("the last step was acknowledged before the seal")
}

/// Proves that a wrong bit in a database that was not sealed costs at most the last batch: it
/// cannot be told from a torn write there, and nothing older is lost or wrong.
#[test]
fn a_wrong_bit_in_an_unsealed_database_costs_the_last_batch_at_most() {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(&small())).expect("it opens");
    let last = run.history.len() - 1;
    let image = unsealed(&run);
    let whole = contents_of_image(image.clone()).expect("it opens");
    // The purge before it may have ridden in the same batch.
    let acknowledged: Vec<usize> = (1..last - 1).collect();
    let allowed = |found: &Contents| run.judge(found, &acknowledged, last).is_ok();
    for file in ["raft.redb", "raft.journal"] {
        let (flipped, refused) = flip(&image, file, 5, &whole, allowed);
        println!("{flipped} flips of {file}, {refused} refused");
        assert!(flipped > 1_000, "{flipped} flips of {file}");
        // Whether the last append went into the journal is not the same in each run.
        assert!(refused > 0 || file == "raft.journal", "nothing was refused");
    }
}

/// A directory with three frames in its journal, as a power cut leaves it, unless its writer had the time to bring them into the
/// database; with what it held.
fn with_frames() -> (Run, Image) {
    let mut run = Run::new(SimFs::new(CAPACITY));
    let steps = [
        Step::Vote(1, true),
        Step::Append(vec![0, 300]),
        Step::Committed(1),
        Step::Append(vec![3_000; 3]),
        Step::Append(vec![200]),
    ];
    block_on(run.play(&steps)).expect("it opens");
    let image = unsealed(&run);
    (run, image)
}

/// Proves that nothing in the journal but its last frame is lost to a wrong bit: what has a frame after it was durable.
#[test]
fn a_wrong_bit_in_the_journal_costs_the_last_batch_at_most() {
    let refused = (0..20).map(|_| {
        let (run, image) = with_frames();
        let whole = contents_of_image(image.clone()).expect("it opens");
        assert_eq!(whole.held.committed.map(|id| id.index), Some(1));
        let last = run.history.len() - 1;
        let acknowledged: Vec<usize> = (1..last).collect();
        let allowed = |found: &Contents| run.judge(found, &acknowledged, last).is_ok();
        let (flipped, refused) = flip(&image, "raft.journal", 1, &whole, allowed);
        println!("{flipped} flips, {refused} refused");
        refused
    });
    // The last frame alone refuses nothing, and a writer that was held up for long may have left no other.
    assert!(refused.into_iter().any(|refused| refused > 9_000));
}

/// Proves that these tests can fail: a database or a snapshot that is sound and holds something
/// else, as if a wrong byte had been read as data, and a refusal of another file, are all caught.
#[test]
fn a_wrong_byte_read_as_data_is_caught() {
    let (image, whole) = sealed();
    let other = |steps: Vec<Step>| {
        let mut run = Run::new(SimFs::new(CAPACITY));
        block_on(run.play(&steps)).expect("it opens");
        run.fs.live()
    };
    let mut steps = small();
    steps[4] = Step::Committed(2);
    let mut read_wrong = image.clone();
    let database = dir().join("raft.redb");
    read_wrong.insert(database.clone(), other(steps)[&database].clone());
    let caught = verdict(read_wrong, &database, &whole, |_| false);
    assert_eq!(caught, Err("it was read wrong".to_owned()));

    let snapshot = dir().join(snapshot_in(&image));
    let mut steps = small();
    steps[5] = Step::Snapshot(2, 29_999);
    let mut read_wrong = image.clone();
    read_wrong.insert(snapshot.clone(), other(steps)[&snapshot].clone());
    let caught = verdict(read_wrong, &snapshot, &whole, |_| false);
    assert_eq!(caught, Err("it was read wrong".to_owned()));

    let mut damaged = image;
    damaged
        .get_mut(&snapshot)
        .expect("the file is in it")
        .flip(40, 1);
    let caught = verdict(damaged, &database, &whole, |_| false);
    assert!(caught.is_err_and(|why| why.contains("does not name it")));
}
