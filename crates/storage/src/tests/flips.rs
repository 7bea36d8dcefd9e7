//! Single bit flips in the files of a directory.

use super::crash::block_on;
use super::script::{CAPACITY, Contents, Run, ScriptStep, contents_of_image, dir};
use super::slices::in_slices;
use crate::OpenError;
use crate::vfs::sim::{Crash, CrashRandom, DiskImage, SimFs};
use std::path::{Path, PathBuf};

/// Minimum number of bytes of a sealed directory in which the test flips a bit. The test covers
/// every byte of each database page that was ever written, and every byte of the snapshot.
const FLIPS_MIN: usize = 65_000;

fn small() -> Vec<ScriptStep> {
    vec![
        ScriptStep::Identity(2),
        ScriptStep::Vote(1, true),
        ScriptStep::Append(vec![0, 300]),
        ScriptStep::Append(vec![3_000; 3]),
        ScriptStep::Committed(3),
        ScriptStep::Snapshot(2, 30_000),
        ScriptStep::Purge(2),
        ScriptStep::Append(vec![300]),
    ]
}

/// Judges the result of opening a directory with a flipped bit.
///
/// - Returns `false` if exactly the original content was read, or content that `allowed` accepts.
/// - Returns `true` if opening failed with an error that names the file and states the reason.
/// - Returns an error for any other result.
fn verdict(
    image: DiskImage,
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
        OpenError::Corrupt { file, what, .. } => (file, what.to_string()),
        OpenError::Newer { file, found, .. } => (file, format!("has format {found}")),
        _ => return Err(format!("it is not said to be damaged: {said}")),
    };
    if named != path || what.is_empty() || !said.contains(&what) {
        return Err(format!("the error does not name it: {said}"));
    }
    if !said.contains(&path.display().to_string()) {
        return Err(format!("the error does not name it: {said}"));
    }
    Ok(true)
}

/// Flips one bit in every `step`-th byte that was ever written to a file, each in a separate copy
/// of the image. Returns the number of flips, and the number of flips after which opening failed.
fn flip(
    image: &DiskImage,
    file: &str,
    step: usize,
    whole: &Contents,
    allowed: impl Fn(&Contents) -> bool + Sync,
) -> (usize, usize) {
    let path: PathBuf = dir().join(file);
    let content = &image[&path];
    // Pages that were never written contain no data that could be lost.
    let written: Vec<u64> = (0..content.len())
        .filter(|at| content.was_written(*at))
        .step_by(step)
        .collect();
    let slices = in_slices(|slice, slices| {
        let mut random = CrashRandom(11 + slice as u64);
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

fn sealed() -> (DiskImage, Contents) {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(&small())).expect("it opens");
    let image = run.fs.live();
    let whole = contents_of_image(image.clone()).expect("it opens");
    assert_eq!(
        whole.recovered.committed.map(|c| c.index),
        Some(3),
        "the committed id was kept"
    );
    (image, whole)
}

fn snapshot_in(image: &DiskImage) -> String {
    let mut names = image.keys().filter_map(|p| p.file_name());
    let snapshot = names.find(|n| n.to_string_lossy().ends_with(".snap"));
    snapshot.expect("a snapshot").to_string_lossy().into_owned()
}

/// No wrong byte in a sealed directory is read as data. This is checked for every byte of the
/// database and of the snapshot. Either exactly the original content is read, or opening fails with
/// an error that names the file.
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

/// Every flipped bit in a snapshot of several blocks is detected, and so is a missing byte.
#[test]
fn a_wrong_bit_in_a_snapshot_is_refused() {
    let mut run = Run::new(SimFs::new(CAPACITY));
    let steps = [
        ScriptStep::Vote(1, true),
        ScriptStep::Append(vec![0, 300]),
        ScriptStep::Snapshot(1, 140_000),
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

/// Returns an image that a power cut can leave after the last step of a run was acknowledged.
fn unsealed(run: &Run) -> DiskImage {
    let last = run.history.len() - 1;
    let mut unsealed = None;
    let mut random = CrashRandom(1);
    Crash::default().walk(&run.fs.changes(), |crash| {
        if unsealed.is_none() && crash.acknowledged.last() == Some(&last) {
            unsealed = crash.images(&mut random, 0).into_iter().next();
        }
    });
    unsealed.expect("the last step was acknowledged before the seal")
}

/// A flipped bit in a directory that was not sealed costs at most the last batch. In the last
/// batch, a flipped bit cannot be distinguished from a torn write. No older data is lost or wrong.
#[test]
fn a_wrong_bit_in_an_unsealed_database_costs_the_last_batch_at_most() {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(&small())).expect("it opens");
    let last = run.history.len() - 1;
    let image = unsealed(&run);
    let whole = contents_of_image(image.clone()).expect("it opens");
    // The last batch may contain not only the last step but also the purge before the last step. A
    // flip in this batch may lose both.
    let acknowledged: Vec<usize> = (1..last - 1).collect();
    let allowed = |found: &Contents| run.judge(found, &acknowledged, last).is_ok();
    for file in ["raft.redb", "raft.journal"] {
        let (flipped, refused) = flip(&image, file, 5, &whole, allowed);
        println!("{flipped} flips of {file}, {refused} refused");
        assert!(flipped > 1_000, "{flipped} flips of {file}");
        // The last append may or may not be in the WAL, so possibly no flip of the WAL is rejected.
        assert!(refused > 0 || file == "raft.journal", "nothing was refused");
    }
}

/// Returns a run and the directory that a power cut leaves at the end of the run. The WAL has three
/// frames, unless the writer had the time to move them to the database.
fn with_frames() -> (Run, DiskImage) {
    let mut run = Run::new(SimFs::new(CAPACITY));
    let steps = [
        ScriptStep::Vote(1, true),
        ScriptStep::Append(vec![0, 300]),
        ScriptStep::Committed(1),
        ScriptStep::Append(vec![3_000; 3]),
        ScriptStep::Append(vec![200]),
    ];
    block_on(run.play(&steps)).expect("it opens");
    let image = unsealed(&run);
    (run, image)
}

/// A flipped bit in the WAL can lose only the last frame. A damaged frame that is followed by
/// another frame was durable, so the directory is rejected.
#[test]
fn a_wrong_bit_in_the_journal_costs_the_last_batch_at_most() {
    let refused = (0..20).map(|_| {
        let (run, image) = with_frames();
        let whole = contents_of_image(image.clone()).expect("it opens");
        assert_eq!(whole.recovered.committed.map(|id| id.index), Some(1));
        let last = run.history.len() - 1;
        let acknowledged: Vec<usize> = (1..last).collect();
        let allowed = |found: &Contents| run.judge(found, &acknowledged, last).is_ok();
        let (flipped, refused) = flip(&image, "raft.journal", 1, &whole, allowed);
        println!("{flipped} flips, {refused} refused");
        refused
    });
    // A flip in the last frame is never rejected. If the writer was delayed, the last frame may be
    // the only one in the WAL. One run with many rejected flips is therefore enough.
    assert!(refused.into_iter().any(|refused| refused > 9_000));
}

/// The tests of flipped bits are effective. [`verdict`] returns an error if an intact database or
/// snapshot has different content, as if a wrong byte had been read as data. It also returns an
/// error if the directory is rejected with the name of another file.
#[test]
fn a_wrong_byte_read_as_data_is_caught() {
    let (image, whole) = sealed();
    let other = |steps: Vec<ScriptStep>| {
        let mut run = Run::new(SimFs::new(CAPACITY));
        block_on(run.play(&steps)).expect("it opens");
        run.fs.live()
    };
    let mut steps = small();
    steps[4] = ScriptStep::Committed(2);
    let mut read_wrong = image.clone();
    let database = dir().join("raft.redb");
    read_wrong.insert(database.clone(), other(steps)[&database].clone());
    let caught = verdict(read_wrong, &database, &whole, |_| false);
    assert_eq!(caught, Err("it was read wrong".to_owned()));

    let snapshot = dir().join(snapshot_in(&image));
    let mut steps = small();
    steps[5] = ScriptStep::Snapshot(2, 29_999);
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
