//! One bit of a file is wrong.

use super::crash::block_on;
use super::script::{CAPACITY, Contents, Run, Step, contents_of_image, dir};
use crate::raft::disk::OpenError;
use crate::raft::disk::sim::{Crash, Image, Random, SimFs};
use std::path::PathBuf;

fn small() -> Vec<Step> {
    vec![
        Step::Identity(2),
        Step::Vote(1, true),
        Step::Append(vec![0, 300]),
        Step::Append(vec![3_000; 8]),
        Step::Committed(3),
        Step::Snapshot(2, 70_000),
        Step::Purge(2),
        Step::Append(vec![300]),
    ]
}

/// Flips bits of a file of an image one by one: exactly what was there is read, or the file is
/// refused by name, or `allowed` says that it may be. How many were flipped and refused.
fn flip(
    image: &Image,
    file: &str,
    step: usize,
    whole: &Contents,
    allowed: impl Fn(&Contents) -> bool,
) -> (usize, usize) {
    let path: PathBuf = dir().join(file);
    let bytes = &image[&path];
    let mut random = Random(11);
    let (mut flipped, mut refused) = (0, 0);
    // Pages that were never written hold nothing that could be lost.
    for at in (0..bytes.len())
        .filter(|at| bytes[*at] != 0 || file.ends_with(".snap"))
        .step_by(step)
    {
        let mut image = image.clone();
        if let Some(byte) = image.get_mut(&path).and_then(|b| b.get_mut(at)) {
            *byte ^= 1 << random.below(8);
        }
        flipped += 1;
        match contents_of_image(image) {
            Ok(found) => assert!(
                found == *whole || allowed(&found),
                "byte {at} of {file} was read wrong"
            ),
            Err(OpenError::Corrupt { file: named, .. } | OpenError::Newer { file: named, .. }) => {
                assert_eq!(named, path, "byte {at} of {file}");
                refused += 1;
            }
            Err(other) => panic!("byte {at} of {file}: {other}"),
        }
    }
    (flipped, refused)
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

/// Proves that no wrong bit in a sealed database is read as data.
#[test]
fn a_wrong_bit_in_a_sealed_database_is_refused_or_harmless() {
    let (image, whole) = sealed();
    let (flipped, refused) = flip(&image, "raft.redb", 9, &whole, |_| false);
    println!("{flipped} flips, {refused} refused");
    assert!(
        flipped > 1_000 && refused > 200,
        "{flipped} flips, {refused} refused"
    );
}

/// Proves that every wrong bit in a snapshot is refused.
#[test]
fn a_wrong_bit_in_a_snapshot_is_refused() {
    let (image, whole) = sealed();
    let name = image
        .keys()
        .filter_map(|p| p.file_name())
        .map(|n| n.to_string_lossy())
        .find(|n| n.ends_with(".snap"));
    let name = name.expect("a snapshot").into_owned();
    let (flipped, refused) = flip(&image, &name, 37, &whole, |_| false);
    println!("{flipped} flips, {refused} refused");
    assert_eq!(flipped, refused, "every byte of a snapshot is checked");
    let mut truncated = image.clone();
    if let Some(bytes) = truncated.get_mut(&dir().join(&name)) {
        bytes.pop();
    }
    let refused = contents_of_image(truncated)
        .expect_err("a byte is missing")
        .to_string();
    assert!(
        refused.contains(&name) && refused.contains("start the node again"),
        "{refused}"
    );
}

/// Proves that a wrong bit in a database that was not sealed costs at most the last batch: it
/// cannot be told from a torn write there, and nothing older is lost or wrong.
#[test]
fn a_wrong_bit_in_an_unsealed_database_costs_the_last_batch_at_most() {
    let mut run = Run::new(SimFs::new(CAPACITY));
    block_on(run.play(&small())).expect("it opens");
    let last = run.history.len() - 1;
    let mut unsealed = None;
    let mut random = Random(1);
    Crash::default().walk(&run.fs.journal(), |crash| {
        if unsealed.is_none() && crash.acknowledged.last() == Some(&last) {
            unsealed = crash.images(&mut random, 0).into_iter().next();
        }
    });
    let image = unsealed.expect("the last step was acknowledged before the seal");
    let whole = contents_of_image(image.clone()).expect("it opens");
    // The purge before it may have ridden in the same batch.
    let acknowledged: Vec<usize> = (1..last - 1).collect();
    let allowed = |found: &Contents| run.judge(found, &acknowledged, last).is_ok();
    let (flipped, refused) = flip(&image, "raft.redb", 11, &whole, allowed);
    println!("{flipped} flips, {refused} refused");
    assert!(
        flipped > 1_000 && refused > 100,
        "{flipped} flips, {refused} refused"
    );
}
