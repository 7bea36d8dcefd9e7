//! Tests of the order of reads, writes and expiry.

mod expiry;
mod fresh_reads;
mod large_announcements;
mod rival_writers;
mod two_takers;
mod unknown_writes;
