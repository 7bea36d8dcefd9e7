//! Snapshots: serializes and restores the state.
//!
//! Layout, format 1, in this order:
//!
//! - the magic
//! - the format (one byte)
//! - the level (four bytes, little endian)
//! - a postcard header
//! - from level 4 on, the time counted by ticks
//! - every node (its numbers, its packed announcement), in the order of node ids
//! - every static service, in the order of ids
//! - the digest (16 bytes, little endian)
//!
//! The same state produces the same bytes. Magic, format and level have the same positions in every
//! format. Any release can therefore report that a newer release is needed to read the snapshot.

mod bad_snapshot;
mod reader;

pub use bad_snapshot::BadSnapshot;

use crate::level::{LEVEL, LEVEL_OF_ORDER};
use crate::model::{Announcement, StaticService};
use crate::registry::{MAX_RETIRED, Registry};
use crate::state::borrowed::BorrowedAnnouncement;
use crate::state::by_type_and_pool::parts;
use crate::state::node_entry::NodeEntry;
use crate::state::static_entry::StaticEntry;
use crate::state::tombstones::{MAX_TOMBSTONES, Tombstones};
use crate::state::type_index::TypeIndexes;
use bad_snapshot::{DIGEST_BYTES, FORMAT, damaged};
use quorate_planted::{Bug, is_planted};
use reader::Reader;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"qreg";
/// Size in bytes of the magic, the format and the level, with which every snapshot begins.
const PREFIX_BYTES: usize = 9;
/// Size in bytes of the pieces in which a snapshot in memory is read.
const PIECE_BYTES: usize = 1 << 20;

/// A point-in-time copy of the registry. The copy is cheap to take, because it shares the
/// announcements with the registry. It can be encoded while the registry changes.
#[derive(Debug, Clone)]
pub struct Image {
    level: u32,
    header: SnapshotHeader,
    ticked_ms: u64,
    nodes: Vec<NodeEntry>,
    statics: Vec<StaticEntry>,
    digest: u128,
}

/// The header of a snapshot, the same at every level: the numbers and lists of the state.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SnapshotHeader {
    environment: String,
    applied_index: u64,
    cluster_ms: u64,
    grace_left_ms: u64,
    step_limit_ms: u64,
    changed_index: u64,
    statics_changed_index: u64,
    vanished_index: u64,
    removals_floor: u64,
    tombstones: Vec<(Arc<str>, u64)>,
    retired: Vec<u64>,
    index: Vec<TypeIndexes>,
    nodes: u64,
    statics: u64,
}

impl Registry {
    /// Takes an image, from which a snapshot is written. With 100,000 nodes, taking the image
    /// copies about 10 MB of pointers and numbers.
    pub fn image(&self) -> Image {
        Image {
            level: self.level,
            header: SnapshotHeader {
                environment: self.environment.clone(),
                applied_index: self.applied_index,
                cluster_ms: self.cluster_ms,
                grace_left_ms: self.grace_left_ms,
                step_limit_ms: self.step_limit_ms,
                changed_index: self.changed_index,
                statics_changed_index: self.statics_changed_index,
                vanished_index: self.vanished_index,
                removals_floor: self.tombstones.floor(),
                tombstones: self.tombstones.list(),
                retired: self.retired.iter().copied().collect(),
                index: self.index.indexes(),
                nodes: self.nodes.len() as u64,
                statics: self.statics.len() as u64,
            },
            ticked_ms: self.ticked_ms,
            nodes: self.nodes.values().cloned().collect(),
            statics: self.statics.values().cloned().collect(),
            digest: self.digest(),
        }
    }

    /// Serializes the state as a snapshot in memory.
    pub fn to_snapshot(&self) -> Vec<u8> {
        self.image().to_bytes()
    }

    /// Restores a state that [`Registry::to_snapshot`] of this release or of an earlier release
    /// wrote.
    ///
    /// # Errors
    /// Returns the problem and its position. No part of an invalid snapshot is used.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, BadSnapshot> {
        Self::from_pieces(bytes.chunks(PIECE_BYTES).map(<[u8]>::to_vec))
    }

    /// Restores a state like [`Registry::from_snapshot`], from the pieces of a snapshot. Each piece
    /// is freed once it is read, so that the whole snapshot and the registry are never in memory at
    /// the same time.
    ///
    /// # Errors
    /// Returns the same errors as [`Registry::from_snapshot`].
    pub fn from_pieces(pieces: impl Iterator<Item = Vec<u8>>) -> Result<Self, BadSnapshot> {
        let mut reader = Reader::new(pieces);
        while reader.window.len() < PREFIX_BYTES + DIGEST_BYTES && reader.fill() {}
        let level = read_prefix(&reader.window)?;
        if reader.window.len() < PREFIX_BYTES + DIGEST_BYTES {
            let length = reader.window.len();
            return Err(damaged("the digest", length, "it ends too early"));
        }
        reader.pass(PREFIX_BYTES);
        let header: SnapshotHeader = reader.take("the header")?;
        let mut registry = Self::from_header(level, &header)?;
        if level >= LEVEL_OF_ORDER {
            registry.ticked_ms = reader.take("the time counted by ticks")?;
        }
        for _ in 0..header.nodes {
            registry.restore_node(&mut reader)?;
        }
        for _ in 0..header.statics {
            registry.restore_static(&mut reader)?;
        }
        if !reader.is_at_end() {
            return Err(damaged(
                "the end",
                reader.at,
                "there are bytes after the last part",
            ));
        }
        if !registry.index.restore_indexes(&header.index) {
            return Err(damaged(
                "the header",
                PREFIX_BYTES,
                "its types do not match its services",
            ));
        }
        let stated = reader
            .rest()
            .iter()
            .rev()
            .fold(0, |so_far: u128, byte| (so_far << 8) | u128::from(*byte));
        registry.sum = registry.recompute_sum();
        let computed = registry.digest();
        if stated == computed {
            if is_planted(Bug::NoStaticsInSnapshot) {
                registry.statics.clear();
            }
            Ok(registry)
        } else {
            Err(BadSnapshot::Digest { stated, computed })
        }
    }

    /// Restores the state that the header of a snapshot contains, without nodes and static
    /// services.
    fn from_header(level: u32, header: &SnapshotHeader) -> Result<Self, BadSnapshot> {
        if header.retired.len() > MAX_RETIRED || header.tombstones.len() > MAX_TOMBSTONES {
            return Err(damaged(
                "the header",
                PREFIX_BYTES,
                "a list in it is longer than its limit",
            ));
        }
        let mut registry = Self::new(&header.environment);
        registry.level = level;
        registry.applied_index = header.applied_index;
        registry.cluster_ms = header.cluster_ms;
        registry.grace_left_ms = header.grace_left_ms;
        registry.step_limit_ms = header.step_limit_ms;
        registry.changed_index = header.changed_index;
        registry.statics_changed_index = header.statics_changed_index;
        registry.vanished_index = header.vanished_index;
        registry.tombstones = Tombstones::restore(header.removals_floor, header.tombstones.clone());
        registry.retired = header.retired.iter().copied().collect();
        Ok(registry)
    }

    /// Restores the next node of a snapshot, with its deadline and its entries in the index of
    /// types and pools.
    fn restore_node<P>(&mut self, reader: &mut Reader<P>) -> Result<(), BadSnapshot>
    where
        P: Iterator<Item = Vec<u8>>,
    {
        let (deadline_ms, indexes): (u64, [u64; 3]) =
            reader.take("a node's deadline and log indexes")?;
        let at = reader.at;
        let (announcement, packed): (Announcement, Arc<[u8]>) =
            reader.take_packed("a node's announcement")?;
        let node_id: Arc<str> = Arc::from(announcement.node_id.as_str());
        if self
            .nodes
            .last_key_value()
            .is_some_and(|(last, _)| *last >= node_id)
        {
            return Err(damaged("a node's announcement", at, "it is out of order"));
        }
        if self.tombstones.has(&node_id) {
            let why = "the node is also among the removed ones";
            return Err(damaged("a node's announcement", at, why));
        }
        let borrowed = BorrowedAnnouncement::of(&announcement);
        let digest = borrowed.digest();
        let entry = NodeEntry::from_packed(packed, &borrowed, digest, deadline_ms, indexes);
        self.held_bytes += entry.cost_bytes(self.level);
        let unpacked: BorrowedAnnouncement<'_> = entry.unpack();
        // `by_id` walks two lists of services in parallel, which requires that both are sorted.
        if !unpacked.services.is_sorted_by(|one, next| one.id < next.id) {
            let why = "its services are out of order";
            return Err(damaged("a node's announcement", at, why));
        }
        self.services += unpacked.services.len();
        for ((service_type, pool), services) in parts(Some(&unpacked)) {
            self.index
                .restored(service_type, pool)
                .enter(&node_id, &services);
        }
        self.deadlines.insert((deadline_ms, node_id.clone()));
        self.nodes.insert(node_id, entry);
        Ok(())
    }

    /// Restores the next static service of a snapshot.
    fn restore_static<P>(&mut self, reader: &mut Reader<P>) -> Result<(), BadSnapshot>
    where
        P: Iterator<Item = Vec<u8>>,
    {
        let at = reader.at;
        let (changed_index, service): (u64, StaticService) = reader.take("a static service")?;
        let id: Arc<str> = Arc::from(service.id.as_str());
        if self
            .statics
            .last_key_value()
            .is_some_and(|(last, _)| *last >= id)
        {
            return Err(damaged("a static service", at, "it is out of order"));
        }
        self.index
            .restored(&service.service_type, &service.pool)
            .statics
            .insert(id.clone());
        self.services += 1;
        let entry = StaticEntry {
            service: Arc::new(service),
            changed_index,
        };
        self.held_bytes += entry.cost_bytes(self.level);
        self.statics.insert(id, entry);
        Ok(())
    }
}

impl Image {
    /// Returns the number of bytes that [`Image::write_to`] writes.
    pub fn byte_count(&self) -> u64 {
        let mut counted = Counted(0);
        self.write_to(&mut counted).expect(IN_MEMORY);
        counted.0
    }

    /// Serializes the image to `out`, piece by piece, because all bytes together would take as much
    /// memory as the registry itself.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_to(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&[FORMAT])?;
        out.write_all(&self.level.to_le_bytes())?;
        out.write_all(&append(Vec::new(), &self.header))?;
        if self.level >= LEVEL_OF_ORDER {
            out.write_all(&append(Vec::new(), &self.ticked_ms))?;
        }
        let mut piece = Vec::new();
        for entry in &self.nodes {
            let indexes = [entry.joined_index, entry.changed_index, entry.written_index];
            piece = append(piece, &(entry.deadline_ms, indexes));
            out.write_all(&piece)?;
            piece.clear();
            out.write_all(entry.packed())?;
        }
        for entry in &self.statics {
            piece = append(piece, &(entry.changed_index, &*entry.service));
            out.write_all(&piece)?;
            piece.clear();
        }
        out.write_all(&self.digest.to_le_bytes())
    }

    /// Returns the image as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_count() as usize);
        self.write_to(&mut bytes).expect(IN_MEMORY);
        bytes
    }
}

const IN_MEMORY: &str = "writing into memory cannot fail";

/// A writer that only counts the bytes.
struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(bytes: Vec<u8>, value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, bytes).expect("encoding numbers and strings into memory cannot fail")
}

/// Checks magic and format, and returns the level.
fn read_prefix(bytes: &[u8]) -> Result<u32, BadSnapshot> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(BadSnapshot::NotASnapshot)?;
    let Some((&format, rest)) = rest.split_first() else {
        return Err(damaged("the format", 4, "it ends too early"));
    };
    if format != FORMAT {
        return Err(BadSnapshot::Format { found: format });
    }
    let Some((level, _)) = rest.split_first_chunk::<4>() else {
        return Err(damaged("the level", 5, "it ends too early"));
    };
    let level = u32::from_le_bytes(*level);
    if level > LEVEL {
        Err(BadSnapshot::Level { needed: level })
    } else {
        Ok(level)
    }
}
