//! A disk of a real process that fails on demand. A small library intercepts the writes, syncs,
//! truncations and renames that the process makes, through the C library, below one directory.
//!
//! The library reports the failures that it caused, so that no test passes without a failure. It
//! also keeps the data that a power cut would remove: see [`FailingDisk::cut_power`].

use super::power_cut::{self, Cut};
use super::preloaded::preload;
use crate::support::node::Node;
use quorate_checker::random::Random;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The errno of an input or output error.
pub const EIO: i32 = 5;
/// The errno of a write without disk space.
pub const ENOSPC: i32 = 28;

/// An order to a disk: the operations that fail or are delayed.
#[derive(Debug, Clone)]
pub struct Order {
    /// The kinds of operation: `w` write, `s` sync, `t` truncate, `r` rename.
    pub kinds: &'static str,
    /// The end of the path of the affected files; `*` for any path.
    pub name: &'static str,
    pub errno: i32,
    /// The numbers of the first and of the last operation that fails. Matching operations are
    /// counted from 1, from the time of the order on.
    pub from: u64,
    pub to: u64,
    /// Number of bytes that may be written before the first failure.
    pub after_bytes: u64,
}

impl Order {
    /// Lets the next operation of these kinds fail, and all later operations succeed. This is the
    /// hardest case, because the process could continue as if nothing had happened.
    pub fn once(kinds: &'static str, name: &'static str, errno: i32) -> Order {
        Order {
            kinds,
            name,
            errno,
            from: 1,
            to: 1,
            after_bytes: 0,
        }
    }

    /// Lets all further operations of these kinds fail.
    pub fn from_now_on(kinds: &'static str, name: &'static str, errno: i32) -> Order {
        Order {
            to: u32::MAX.into(),
            ..Order::once(kinds, name, errno)
        }
    }

    /// Lets every sync take this much longer and succeed.
    pub fn slow_syncs(by: Duration) -> Order {
        Order::from_now_on("s", "*", -(by.as_millis() as i32))
    }

    /// Lets writes fail for lack of space after this many bytes.
    pub fn full_after(bytes: u64) -> Order {
        Order {
            after_bytes: bytes,
            ..Order::from_now_on("w", "*", ENOSPC)
        }
    }
}

/// The disk of one node.
pub struct FailingDisk {
    order: PathBuf,
    report: PathBuf,
    /// The directory that keeps the earlier contents of files until their changes are synced.
    undo: PathBuf,
    /// The directory of the files that the library intercepts.
    raft: PathBuf,
}

impl FailingDisk {
    /// Returns the disk of a node that does not run. The disk works until the test gives an order.
    ///
    /// # Panics
    /// When the library cannot be built.
    pub fn of(node: &mut Node) -> FailingDisk {
        let dir = node.etc.dir.join("failing-disk");
        let disk = FailingDisk {
            order: dir.join("order"),
            report: dir.join("report"),
            undo: dir.join("undo"),
            raft: node.etc.data_dir().join("raft"),
        };
        fs::create_dir_all(&disk.undo).expect("a temporary directory");
        preload(node, "failing_disk.c");
        for (name, value) in [
            ("FAILING_DISK_DIR", &disk.raft),
            ("FAILING_DISK_ORDER", &disk.order),
            ("FAILING_DISK_REPORT", &disk.report),
            ("FAILING_DISK_UNDO", &disk.undo),
        ] {
            node.environment
                .push((name, value.clone().into_os_string()));
        }
        disk
    }

    /// Gives an order to the disk, in place of any earlier one.
    pub fn fail(&self, order: &Order) {
        let Order {
            kinds,
            name,
            errno,
            from,
            to,
            after_bytes,
        } = order;
        let line = format!("{kinds} {name} {errno} {from} {to} {after_bytes}\n");
        // The file is replaced atomically, since the process may read it at any time.
        let written = self.order.with_extension("new");
        fs::write(&written, line).expect("a temporary directory");
        fs::rename(&written, &self.order).expect("a temporary directory");
    }

    /// Makes the disk work again: removes the order.
    pub fn mend(&self) {
        fs::remove_file(&self.order).expect("an order was given");
    }

    /// Returns the operations that failed or were delayed and, after the first failure, those that
    /// succeeded, each like `failed s /path`.
    pub fn report(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Clears the report.
    pub fn clear_report(&self) {
        fs::write(&self.report, "").expect("a temporary directory");
    }

    /// Removes data that a power cut may lose from the files of a killed node. Returns the number
    /// of lost sectors.
    pub fn cut_power(&self, cut: Cut, random: &mut Random) -> usize {
        let taken = power_cut::apply(&self.undo, &self.raft, cut, random);
        self.replaced();
        taken
    }

    /// Forgets the unsynced data, since the disk was replaced or a power cut was applied.
    pub fn replaced(&self) {
        fs::remove_dir_all(&self.undo).expect("a temporary directory");
        fs::create_dir_all(&self.undo).expect("a temporary directory");
    }
}
