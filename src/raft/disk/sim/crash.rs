//! The durable side: every image that a power cut can leave.

use super::fs::{Event, Image};
use crate::raft::disk::vfs::parent_of;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What devices write whole.
const SECTOR: usize = 512;
/// With this few changes pending, every subset of them is tried.
const EXHAUSTIVE_MAX: usize = 5;

/// xorshift64*: the same seed gives the same images.
#[derive(Debug, Clone)]
pub(in crate::raft::disk) struct Random(pub(in crate::raft::disk) u64);

impl Random {
    pub(in crate::raft::disk) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n.max(1)
    }
}

/// A point of the journal: what surely is on the device, and what may be.
#[derive(Debug, Default)]
pub(in crate::raft::disk) struct Crash {
    inodes: BTreeMap<usize, Vec<u8>>,
    names: BTreeMap<PathBuf, usize>,
    pending: Vec<Event>,
    /// The last step that was begun.
    pub(in crate::raft::disk) began: usize,
    /// The steps that were acknowledged, in order.
    pub(in crate::raft::disk) acknowledged: Vec<usize>,
}

impl Crash {
    /// Starts from what an earlier crash left.
    pub(in crate::raft::disk) fn after(image: &Image) -> Self {
        let mut start = Self::default();
        for (inode, (path, data)) in image.iter().enumerate() {
            start.inodes.insert(inode, data.clone());
            start.names.insert(path.clone(), inode);
        }
        start
    }

    /// Shows the point before each sync, and the end.
    pub(in crate::raft::disk) fn walk(mut self, journal: &[Event], mut visit: impl FnMut(&Self)) {
        for event in journal {
            match event {
                Event::Sync { inode } => {
                    visit(&self);
                    self.settle(|e| content_of(e) == Some(*inode));
                }
                Event::SyncDir { dir } => {
                    visit(&self);
                    self.settle(|e| dir_of(e).as_ref() == Some(dir));
                }
                Event::Began(step) => self.began = *step,
                Event::Acknowledged(step) => self.acknowledged.push(*step),
                change => self.pending.push(change.clone()),
            }
        }
        visit(&self);
    }

    fn settle(&mut self, covered: impl Fn(&Event) -> bool) {
        let (settled, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(covered);
        self.pending = pending;
        let settled: Vec<Event> = settled;
        for event in &settled {
            apply(&mut self.inodes, &mut self.names, event);
        }
    }

    /// Images of a crash here: every subset of a few pending changes, or some of many, and with
    /// each a torn one.
    pub(in crate::raft::disk) fn images(&self, random: &mut Random, sampled: usize) -> Vec<Image> {
        let n = self.pending.len();
        let mut subsets: Vec<Vec<bool>> = Vec::new();
        if n <= EXHAUSTIVE_MAX {
            subsets
                .extend((0..1_usize << n).map(|bits| (0..n).map(|i| bits >> i & 1 == 1).collect()));
        } else {
            subsets.push(vec![false; n]);
            subsets.push(vec![true; n]);
            for _ in 0..sampled {
                let one = random.below(n);
                subsets.push(match random.below(4) {
                    0 => (0..n).map(|i| i < one).collect(),
                    1 => (0..n).map(|i| i == one).collect(),
                    2 => (0..n).map(|i| i != one).collect(),
                    _ => (0..n).map(|_| random.below(2) == 0).collect(),
                });
            }
        }
        let mut images = Vec::new();
        for kept in subsets {
            images.push(self.image(&kept, None));
            let writes: Vec<usize> = (0..n)
                .filter(|i| kept[*i] && tearable(&self.pending[*i]))
                .collect();
            if let Some(torn) = writes.get(random.below(writes.len())) {
                images.push(self.image(&kept, Some((*torn, &mut *random))));
            }
        }
        images
    }

    fn image(&self, kept: &[bool], mut torn: Option<(usize, &mut Random)>) -> Image {
        let (mut inodes, mut names) = (self.inodes.clone(), self.names.clone());
        for (i, event) in self.pending.iter().enumerate().filter(|(i, _)| kept[*i]) {
            match (&mut torn, event) {
                (
                    Some((at, random)),
                    Event::Write {
                        inode,
                        offset,
                        data,
                    },
                ) if *at == i => {
                    let way = random.below(3);
                    let cut = random.below(data.len().div_ceil(SECTOR) + 1);
                    for (number, sector) in data.chunks(SECTOR).enumerate() {
                        let there = match way {
                            0 => number < cut,
                            1 => number >= cut,
                            _ => random.below(2) == 0,
                        };
                        if there {
                            let offset = offset + (number * SECTOR) as u64;
                            let part = Event::Write {
                                inode: *inode,
                                offset,
                                data: sector.to_vec(),
                            };
                            apply(&mut inodes, &mut names, &part);
                        }
                    }
                }
                _ => apply(&mut inodes, &mut names, event),
            }
        }
        names
            .into_iter()
            .map(|(path, inode)| (path, inodes.get(&inode).cloned().unwrap_or_default()))
            .collect()
    }
}

fn tearable(event: &Event) -> bool {
    matches!(event, Event::Write { data, .. } if data.len() > SECTOR)
}

fn content_of(event: &Event) -> Option<usize> {
    match event {
        Event::Write { inode, .. } | Event::SetLen { inode, .. } => Some(*inode),
        _ => None,
    }
}

fn dir_of(event: &Event) -> Option<PathBuf> {
    match event {
        Event::Link { path, .. } | Event::Unlink { path } | Event::Rename { to: path, .. } => {
            Some(parent_of(path))
        }
        _ => None,
    }
}

pub(super) fn apply(
    inodes: &mut BTreeMap<usize, Vec<u8>>,
    names: &mut BTreeMap<PathBuf, usize>,
    event: &Event,
) {
    match event {
        Event::Write {
            inode,
            offset,
            data,
        } => {
            let file = inodes.entry(*inode).or_default();
            let end = *offset as usize + data.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*offset as usize..end].copy_from_slice(data);
        }
        Event::SetLen { inode, len } => inodes.entry(*inode).or_default().resize(*len as usize, 0),
        Event::Link { path, inode } => {
            names.insert(path.clone(), *inode);
        }
        Event::Unlink { path } => {
            names.remove(path);
        }
        Event::Rename { from, to, inode } => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
        Event::Sync { .. } | Event::SyncDir { .. } | Event::Began(_) | Event::Acknowledged(_) => {}
    }
}
