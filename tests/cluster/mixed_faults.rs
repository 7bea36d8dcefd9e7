use crate::support::cluster::FORM_LIMIT;
use crate::support::traffic::Traffic;
use crate::support::{Cluster, Options, let_pass, until};
use std::time::Duration;

/// What happens to the cluster in one round; after each, it heals before the next.
#[derive(Debug, Clone, Copy)]
enum Fault {
    KillOne,
    StopOne,
    FreezeOne,
    WipeOne,
    KillTwo,
    FreezeAll,
    KillAll,
}

const FAULTS: [Fault; 7] = [
    Fault::KillOne,
    Fault::FreezeOne,
    Fault::WipeOne,
    Fault::KillTwo,
    Fault::StopOne,
    Fault::FreezeAll,
    Fault::KillAll,
];
/// Longer than an election.
const FAULT_LASTS: Duration = Duration::from_millis(1_500);
/// How many acknowledgements and lookups must come between two faults.
const CALM: usize = 30;

/// Proves that whatever happens to the processes, one thing after the other while clients write and
/// read through every node, no lookup that is served lacks what was acknowledged before it, and at
/// the end all nodes show the same. `QUORATE_TEST_FAULTS` says how many faults there are.
#[test]
fn no_lookup_lacks_what_was_acknowledged_whatever_happens() {
    let mut cluster = Cluster::start(3, Options::max_age("10m"));
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address()).collect();
    let mut traffic = Traffic::start("mixed", &addresses);
    traffic.read_from(&addresses);
    for round in 0..rounds() {
        let fault = FAULTS[round % FAULTS.len()];
        // The leader in the first pass, another node in each one after it.
        let victim = (cluster.leader() + round / FAULTS.len()) % 3;
        println!("round {round}: {fault:?}, node {victim} first");
        disturb(&mut cluster, fault, victim);
        cluster.wait_ready();
        let (acked, served) = (traffic.acked() + CALM, traffic.served() + CALM);
        until("writes and lookups go on", FORM_LIMIT, || {
            (traffic.acked() >= acked && traffic.served() >= served).then_some(())
        });
    }
    let served = traffic.served();
    let done = traffic.stop();
    println!(
        "{} writes acknowledged, {served} lookups checked",
        done.acked()
    );
    let seen = cluster.tokens_everywhere("mixed");
    done.assert_nothing_lost_anywhere(&seen);
}

fn rounds() -> usize {
    let asked =
        std::env::var_os("QUORATE_TEST_FAULTS").and_then(|rounds| rounds.to_str()?.parse().ok());
    asked.unwrap_or(FAULTS.len())
}

fn disturb(cluster: &mut Cluster, fault: Fault, victim: usize) {
    match fault {
        Fault::KillOne | Fault::WipeOne => {
            cluster.nodes[victim].kill9();
            let_pass(FAULT_LASTS);
            if matches!(fault, Fault::WipeOne) {
                cluster.nodes[victim].wipe();
            }
            cluster.nodes[victim].start();
        }
        Fault::StopOne => {
            let status = cluster.nodes[victim].stop();
            assert_eq!(status.code(), Some(0), "{status}");
            cluster.nodes[victim].start();
        }
        Fault::FreezeOne => {
            cluster.nodes[victim].pause();
            let_pass(FAULT_LASTS);
            cluster.nodes[victim].resume();
        }
        Fault::KillTwo => {
            let other = cluster.others(victim)[0];
            cluster.nodes[victim].kill9();
            cluster.nodes[other].kill9();
            let_pass(FAULT_LASTS);
            cluster.nodes[victim].start();
            cluster.nodes[other].start();
        }
        Fault::FreezeAll => {
            cluster.nodes.iter().for_each(|node| node.pause());
            let_pass(FAULT_LASTS);
            cluster.nodes.iter().for_each(|node| node.resume());
        }
        Fault::KillAll => {
            cluster.kill9_all();
            cluster.start_all();
        }
    }
}
