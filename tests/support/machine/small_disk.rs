//! Small real file systems that fill up. Each node has a tmpfs, in a mount namespace of the test,
//! which disappears when the test ends in any way.

use crate::support::node::Node;
use rustix::fs::statvfs;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// The unit in which a file system allocates space, in bytes.
const STEP: u64 = 4096;

/// The mount namespace of all disks, which disappears on drop, and when the test dies.
pub struct SmallDisks {
    holder: Child,
    _held_open: ChildStdin,
}

/// The disk of one node.
pub struct SmallDisk {
    /// The data directory of the node, by a path at which the test can reach it from outside the
    /// namespace.
    dir: PathBuf,
}

impl SmallDisks {
    /// Gives each node a data directory of this size. The nodes must not be running. Returns `Err`
    /// with the reason if this user may not mount file systems, which containers often forbid.
    pub fn of(nodes: &mut [Node], mebibytes: u64) -> Result<(Self, Vec<SmallDisk>), String> {
        let root = rustix::process::geteuid().is_root();
        let mut mounts = String::from("set -e\n");
        for node in nodes.iter() {
            let dir = node.etc.data_dir();
            fs::create_dir_all(&dir).expect("a temporary directory");
            let dir = dir.display();
            mounts += &format!("mount -t tmpfs -o size={mebibytes}m tmpfs '{dir}'\n");
        }
        // The namespace exists as long as this process, which ends when the test closes its input.
        mounts += "echo mounted; exec cat";
        let mut holder = Command::new("unshare")
            .args(if root { &["-m"][..] } else { &["-r", "-m"][..] })
            .args(["sh", "-c", &mounts])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let held_open = holder.stdin.take().expect("it was piped");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("it was piped"))
            .read_line(&mut said)
            .expect("a pipe can be read");
        if said != "mounted\n" {
            drop(held_open);
            let output = holder.wait_with_output().expect("it has ended");
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let pid = holder.id().to_string();
        let mut enter = vec!["nsenter", "-t", &pid, "-m"];
        if !root {
            enter.extend(["-U", "--preserve-credentials"]);
        }
        let mut disks = Vec::new();
        for node in nodes {
            node.started_by = enter.iter().map(|word| (*word).to_owned()).collect();
            let path = node.etc.data_dir();
            let inside = path
                .strip_prefix("/")
                .expect("temporary paths are absolute");
            let dir = PathBuf::from(format!("/proc/{pid}/root")).join(inside);
            disks.push(SmallDisk { dir });
        }
        let disks_held = Self {
            holder,
            _held_open: held_open,
        };
        Ok((disks_held, disks))
    }
}

impl Drop for SmallDisks {
    fn drop(&mut self) {
        self.holder.kill().expect("a child can be killed");
        self.holder.wait().expect("a child can be waited for");
    }
}

impl SmallDisk {
    /// Returns the number of bytes that are free.
    pub fn free(&self) -> u64 {
        let stat = statvfs(&self.dir).expect("it is mounted");
        stat.f_bavail * stat.f_frsize
    }

    /// Fills the disk as another program would, until only `left` bytes are free.
    pub fn fill(&self, left: u64) {
        let mut number = 0;
        while self.free() >= left + STEP {
            let part = self.dir.join(format!("other-program-{number}"));
            let bytes = (self.free() - left).min(1 << 20);
            // An error is ignored: other processes write at the same time, so less space may be
            // free than was measured.
            let _ = fs::write(part, vec![0xA5; bytes as usize]);
            number += 1;
        }
    }

    /// Removes a file, by its path below the data directory.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.dir.join(path)).expect("it is there");
    }

    /// Frees the space that [`SmallDisk::fill`] took.
    pub fn free_up(&self) {
        for entry in fs::read_dir(&self.dir).expect("it is mounted") {
            let entry = entry.expect("a directory entry");
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with("other-program-")
            {
                fs::remove_file(entry.path()).expect("it can be removed");
            }
        }
    }
}
