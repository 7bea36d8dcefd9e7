//! A disk that fails as told, for real processes: a small library that stands before the C
//! library's writes, syncs and renames of files below one directory.
//!
//! What it let fail it reports, so that no test passes because nothing failed. What a power cut would
//! take it keeps: [`FailingDisk::cut_power`].

use super::power_cut::{self, Cut};
use super::preloaded::preload;
use crate::support::node::Node;
use quorate_checker::random::Random;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// An input or output error.
pub const EIO: i32 = 5;
/// No space left.
pub const ENOSPC: i32 = 28;

/// What is to fail.
#[derive(Debug, Clone)]
pub struct Order {
    /// The kinds of operation: `w` write, `s` sync, `t` cut, `r` rename.
    pub kinds: &'static str,
    /// How the path ends; `*` for any.
    pub name: &'static str,
    pub errno: i32,
    /// Which of them, counted from 1 since the order was given.
    pub from: u64,
    pub to: u64,
    /// How much may be written before.
    pub after_bytes: u64,
}

impl Order {
    /// The next operation of that kind fails, and those after it succeed, which is the nastiest.
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

    /// All of them fail.
    pub fn from_now_on(kinds: &'static str, name: &'static str, errno: i32) -> Order {
        Order {
            to: u32::MAX.into(),
            ..Order::once(kinds, name, errno)
        }
    }

    /// Every sync takes that much longer, and succeeds.
    pub fn slow_syncs(by: Duration) -> Order {
        Order::from_now_on("s", "*", -(by.as_millis() as i32))
    }

    /// Writes find no space once so many bytes have been written.
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
    /// What each file held before what was not synced.
    undo: PathBuf,
    /// Where those files are.
    raft: PathBuf,
}

impl FailingDisk {
    /// Puts the disk of a node that does not run under the test's orders; none is given yet.
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

    /// From now on.
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
        // At once, since the process may look at any time.
        let written = self.order.with_extension("new");
        fs::write(&written, line).expect("a temporary directory");
        fs::rename(&written, &self.order).expect("a temporary directory");
    }

    /// The disk is well again.
    pub fn mend(&self) {
        fs::remove_file(&self.order).expect("an order was given");
    }

    /// What failed or waited, and what was done after the first failure, in order: `failed s /path`.
    pub fn report(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Forgets what was reported.
    pub fn clear_report(&self) {
        fs::write(&self.report, "").expect("a temporary directory");
    }

    /// Takes from the files of a killed node what a power cut may take. How many sectors it took.
    pub fn cut_power(&self, cut: Cut, random: &mut Random) -> usize {
        let taken = power_cut::apply(&self.undo, &self.raft, cut, random);
        self.replaced();
        taken
    }

    /// The device was replaced: nothing of it waits to be synced.
    pub fn replaced(&self) {
        fs::remove_dir_all(&self.undo).expect("a temporary directory");
        fs::create_dir_all(&self.undo).expect("a temporary directory");
    }
}
