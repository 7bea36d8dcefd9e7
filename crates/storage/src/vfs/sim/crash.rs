//! The durable side of the simulated file system: every image that a power cut can leave.

use super::content::FileContent;
use super::event::{DiskChange, DiskImage};
use crate::vfs::parent_of;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Size of the unit that devices write atomically.
const SECTOR: u64 = 512;
/// Maximum number of pending changes for which every subset is tried.
const EXHAUSTIVE_MAX: usize = 6;
/// Maximum number of sectors of a write that is cut at every sector. This is the number of sectors
/// of a database page. A larger write is cut at random sectors.
const CUTS_MAX: u64 = 8;

/// A xorshift64* generator: the same seed produces the same images.
#[derive(Debug, Clone)]
pub(crate) struct CrashRandom(pub(crate) u64);

impl CrashRandom {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n.max(1)
    }
}

/// A point at which the power may be cut: the changes that are certainly on the device, and the
/// pending changes, each of which may or may not be on the device.
#[derive(Debug, Default)]
pub(crate) struct Crash {
    inodes: BTreeMap<usize, FileContent>,
    names: BTreeMap<PathBuf, usize>,
    pending: Vec<DiskChange>,
    /// The last step of the test that was started.
    pub(crate) began: usize,
    /// The steps of the test that were acknowledged, in order.
    pub(crate) acknowledged: Vec<usize>,
}

impl Crash {
    /// Starts from the image that an earlier crash left.
    pub(crate) fn after(image: &DiskImage) -> Self {
        let mut start = Self::default();
        for (inode, (path, data)) in image.iter().enumerate() {
            start.inodes.insert(inode, data.clone());
            start.names.insert(path.clone(), inode);
        }
        start
    }

    /// Calls `visit` at the point after each change and after each acknowledgement. At each point,
    /// the changes that earlier syncs covered are durable, and the acknowledged steps must be
    /// preserved.
    pub(crate) fn walk(mut self, changes: &[DiskChange], mut visit: impl FnMut(&Self)) {
        for event in changes {
            self.take(event);
            if !matches!(
                event,
                DiskChange::Sync { .. } | DiskChange::SyncDir { .. } | DiskChange::Began(_)
            ) {
                visit(&self);
            }
        }
    }

    /// Returns the point after all changes.
    pub(crate) fn at_end(mut self, changes: &[DiskChange]) -> Self {
        for event in changes {
            self.take(event);
        }
        self
    }

    fn take(&mut self, event: &DiskChange) {
        match event {
            DiskChange::Sync { inode } => self.settle(|e| content_of(e) == Some(*inode)),
            DiskChange::SyncDir { dir } => self.settle(|e| dir_of(e).as_ref() == Some(dir)),
            DiskChange::Began(step) => self.began = *step,
            DiskChange::Acknowledged(step) => self.acknowledged.push(*step),
            change => self.pending.push(change.clone()),
        }
    }

    /// Advances past these changes.
    #[cfg(feature = "sim")]
    pub(super) fn take_all(&mut self, changes: &[DiskChange]) {
        for event in changes {
            self.take(event);
        }
    }

    /// Returns a randomly chosen image of a crash at this point.
    #[cfg(feature = "sim")]
    pub(super) fn one_image(&self, random: &mut CrashRandom) -> DiskImage {
        let n = self.pending.len();
        let kept: Vec<bool> = match random.below(4) {
            0 => vec![false; n],
            1 => vec![true; n],
            _ => (0..n).map(|_| random.below(2) == 0).collect(),
        };
        let writes: Vec<usize> = (0..n)
            .filter(|i| kept[*i] && sectors(&self.pending[*i]) > 1)
            .collect();
        let torn = writes.get(random.below(writes.len() + 1)).copied();
        self.image(&kept, torn.map(|torn| (torn, Torn::Some(random.clone()))))
    }

    /// Makes the changes that `covered` accepts durable, as a sync does. They are no longer
    /// pending.
    fn settle(&mut self, covered: impl Fn(&DiskChange) -> bool) {
        let (settled, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(covered);
        self.pending = pending;
        let settled: Vec<DiskChange> = settled;
        for event in &settled {
            apply(&mut self.inodes, &mut self.names, event);
        }
    }

    /// Returns images of a crash at this point.
    ///
    /// - Each image contains a subset of the pending changes. All subsets are tried if there are
    ///   few pending changes, otherwise a sample of the subsets.
    /// - Each subset is also tried with one torn write.
    /// - The newest change is also cut at each of its sectors, or at random sectors if the change
    ///   has many sectors. Each cut is tried with all other changes, and with a random subset of
    ///   the other changes.
    pub(crate) fn images(&self, random: &mut CrashRandom, sampled: usize) -> Vec<DiskImage> {
        let n = self.pending.len();
        let mut images = Vec::new();
        for kept in subsets(n, random, sampled) {
            images.push(self.image(&kept, None));
            let writes: Vec<usize> = (0..n)
                .filter(|i| kept[*i] && sectors(&self.pending[*i]) > 1)
                .collect();
            if let Some(torn) = writes.get(random.below(writes.len())) {
                let there = match random.below(3) {
                    0 => Torn::Head(random.below(CUTS_MAX as usize) as u64),
                    1 => Torn::Tail(random.below(CUTS_MAX as usize) as u64),
                    _ => Torn::Some(random.clone()),
                };
                images.push(self.image(&kept, Some((*torn, there))));
            }
        }
        let newest = n.saturating_sub(1);
        let cuts = self.pending.last().map_or(0, sectors);
        for cut in 1..cuts.min(CUTS_MAX + 1) {
            let cut = if cuts > CUTS_MAX {
                1 + random.below(cuts as usize - 1) as u64
            } else {
                cut
            };
            for there in [Torn::Head(cut), Torn::Tail(cut)] {
                images.push(self.image(&vec![true; n], Some((newest, there.clone()))));
                let mut some: Vec<bool> = (0..n).map(|_| random.below(2) == 0).collect();
                some[newest] = true;
                images.push(self.image(&some, Some((newest, there))));
            }
        }
        images
    }

    /// Returns the image with the `kept` pending changes, one of which may be torn.
    fn image(&self, kept: &[bool], mut torn: Option<(usize, Torn)>) -> DiskImage {
        let (mut inodes, mut names) = (self.inodes.clone(), self.names.clone());
        for (i, event) in self.pending.iter().enumerate().filter(|(i, _)| kept[*i]) {
            match (&mut torn, event) {
                (
                    Some((at, there)),
                    DiskChange::Write {
                        inode,
                        offset,
                        data,
                    },
                ) if *at == i => there.write(inodes.entry(*inode).or_default(), *offset, data),
                _ => apply(&mut inodes, &mut names, event),
            }
        }
        names
            .into_iter()
            .map(|(path, inode)| (path, inodes.get(&inode).cloned().unwrap_or_default()))
            .collect()
    }
}

/// Returns subsets of `n` pending changes, each for one image of a crash. All subsets are returned
/// if `n` is small, otherwise a sample.
fn subsets(n: usize, random: &mut CrashRandom, sampled: usize) -> Vec<Vec<bool>> {
    if n <= EXHAUSTIVE_MAX {
        let all = 0..1_usize << n;
        return all
            .map(|bits| (0..n).map(|i| bits >> i & 1 == 1).collect())
            .collect();
    }
    let mut subsets = vec![vec![false; n], vec![true; n]];
    for _ in 0..sampled {
        let one = random.below(n);
        subsets.push(match random.below(4) {
            0 => (0..n).map(|i| i < one).collect(),
            1 => (0..n).map(|i| i == one).collect(),
            2 => (0..n).map(|i| i != one).collect(),
            _ => (0..n).map(|_| random.below(2) == 0).collect(),
        });
    }
    subsets
}

/// The sectors of a torn write that reached the device.
#[derive(Clone)]
enum Torn {
    /// This number of sectors at the start of the write.
    Head(u64),
    /// All sectors except this number of sectors at the start of the write.
    Tail(u64),
    /// A random subset.
    Some(CrashRandom),
}

impl Torn {
    fn write(&mut self, file: &mut FileContent, offset: u64, data: &[u8]) {
        let mut at = offset;
        let mut left = data;
        let mut number = 0;
        while !left.is_empty() {
            let rest = (SECTOR - at % SECTOR) as usize;
            let (sector, later) = left.split_at(left.len().min(rest));
            let there = match self {
                Self::Head(count) => number < *count,
                Self::Tail(count) => number >= *count,
                Self::Some(random) => random.below(2) == 0,
            };
            if there {
                file.write(at, sector);
            }
            at += sector.len() as u64;
            left = later;
            number += 1;
        }
    }
}

/// Returns the number of device sectors that a change writes.
fn sectors(event: &DiskChange) -> u64 {
    match event {
        DiskChange::Write { offset, data, .. } if !data.is_empty() => {
            (offset + data.len() as u64).div_ceil(SECTOR) - offset / SECTOR
        }
        _ => 0,
    }
}

fn content_of(event: &DiskChange) -> Option<usize> {
    match event {
        DiskChange::Write { inode, .. } | DiskChange::SetLen { inode, .. } => Some(*inode),
        _ => None,
    }
}

fn dir_of(event: &DiskChange) -> Option<PathBuf> {
    match event {
        DiskChange::Link { path, .. }
        | DiskChange::Unlink { path }
        | DiskChange::Rename { to: path, .. } => Some(parent_of(path)),
        _ => None,
    }
}

/// Applies a change to the files and their names.
pub(super) fn apply(
    inodes: &mut BTreeMap<usize, FileContent>,
    names: &mut BTreeMap<PathBuf, usize>,
    event: &DiskChange,
) {
    match event {
        DiskChange::Write {
            inode,
            offset,
            data,
        } => inodes.entry(*inode).or_default().write(*offset, data),
        DiskChange::SetLen { inode, len } => inodes.entry(*inode).or_default().set_len(*len),
        DiskChange::Link { path, inode } => {
            names.insert(path.clone(), *inode);
        }
        DiskChange::Unlink { path } => {
            names.remove(path);
        }
        DiskChange::Rename { from, to, inode } => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
        DiskChange::Sync { .. }
        | DiskChange::SyncDir { .. }
        | DiskChange::Began(_)
        | DiskChange::Acknowledged(_) => {}
    }
}
