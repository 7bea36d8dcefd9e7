//! `quorate cluster`: shows the state of a running cluster, or waits until it is ready.

mod member_table;

use super::client::output;
use super::client::query::{ServerList, duration};
use anyhow::Context;
use clap::Parser;
use futures_util::future::join_all;
use member_table::push_members;
use quorate::raft::{Role, Status};
use quorate::{clock, config};
use reqwest::StatusCode;
use std::fmt::Write;
use std::time::Duration;

/// Timeout of one request; a healthy server answers at once.
const ANSWER_TIME_LIMIT: Duration = Duration::from_secs(2);

/// Time between two readiness checks of a server.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Show the state of a cluster, or wait until it is ready.
#[derive(Debug, Parser)]
#[command(name = "quorate cluster", bin_name = "quorate cluster", version)]
pub struct ClusterArguments {
    #[command(flatten)]
    servers: ServerList,
    /// Wait until every server is a voter that serves requests; exit with code 19 on a timeout.
    #[arg(long)]
    wait_ready: bool,
    /// Maximum time to wait.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = duration,
        requires = "wait_ready"
    )]
    timeout: Duration,
}

/// Runs the command and returns the exit code.
///
/// # Errors
/// Fails when no HTTP client can be built.
pub async fn run(arguments: &ClusterArguments) -> anyhow::Result<u8> {
    let client = arguments.servers.client_builder()?;
    let client = client.timeout(ANSWER_TIME_LIMIT).build();
    let client = client.context("cannot create the HTTP client")?;
    let (text, code) = if arguments.wait_ready {
        wait_ready(&client, arguments).await
    } else {
        show(&client, arguments).await
    };
    // A failure to print is ignored, because the exit code is the result.
    let _lost = output::line(text.trim_end());
    Ok(code)
}

/// Asks each server for its status, and returns the report and the exit code.
async fn show(client: &reqwest::Client, arguments: &ClusterArguments) -> (String, u8) {
    let servers = &arguments.servers.server;
    let answers = join_all(servers.iter().map(|server| status(client, server))).await;
    let servers: Vec<_> = servers.iter().map(String::as_str).zip(answers).collect();
    let code = if servers.iter().any(|(_, answer)| answer.is_ok()) {
        config::exit_code::OK
    } else {
        config::exit_code::NOT_READY
    };
    (report(&servers), code)
}

/// Asks one server for its status.
async fn status(client: &reqwest::Client, server: &str) -> Result<Status, String> {
    let answer = client
        .get(format!("{server}/v1/cluster/status"))
        .send()
        .await
        .map_err(reason)?;
    match answer.status() {
        status if status.is_success() => answer.json().await.map_err(reason),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let text = answer.text().await.unwrap_or_default();
            Err(output::one_line(&text))
        }
        status => Err(format!("answered {status}: is it a quorate server?")),
    }
}

/// Waits until every server is ready or the timeout has passed, and returns the text to print and
/// the exit code.
async fn wait_ready(client: &reqwest::Client, arguments: &ClusterArguments) -> (String, u8) {
    let servers = &arguments.servers.server;
    let deadline = clock::now() + arguments.timeout;
    loop {
        let answers = join_all(servers.iter().map(|server| ready(client, server))).await;
        if answers.iter().all(Result::is_ok) {
            return ("ready\n".to_owned(), config::exit_code::OK);
        }
        if clock::now() >= deadline {
            let mut text = String::new();
            for (server, answer) in servers.iter().zip(answers) {
                let state = answer
                    .err()
                    .map_or("ready".to_owned(), |why| format!("not ready: {why}"));
                let _infallible = writeln!(text, "{server}  {state}");
            }
            return (text, config::exit_code::NOT_READY);
        }
        tokio::time::sleep_until(deadline.min(clock::now() + POLL_INTERVAL)).await;
    }
}

/// Asks one server whether it is ready. The error states why the server is not ready.
async fn ready(client: &reqwest::Client, server: &str) -> Result<(), String> {
    let answer = client
        .get(format!("{server}/v1/cluster/ready"))
        .send()
        .await
        .map_err(reason)?;
    if answer.status().is_success() {
        return Ok(());
    }
    let code = answer.status();
    let text = answer.text().await.unwrap_or_default();
    let text = output::one_line(&text);
    Err(if text.is_empty() {
        code.to_string()
    } else {
        text
    })
}

fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", ANSWER_TIME_LIMIT.as_secs());
    }
    config::innermost_cause(&error)
}

/// Formats the group as the most advanced server sees it, followed by the problems of the other
/// servers.
fn report(servers: &[(&str, Result<Status, String>)]) -> String {
    let mut text = String::new();
    let answered = servers
        .iter()
        .filter_map(|(server, answer)| answer.as_ref().ok().map(|status| (*server, status)));
    let best = answered.clone().max_by_key(|(_, status)| {
        let leads = status.role == Role::Leader;
        (status.leader.is_some(), status.term, leads, status.applied)
    });
    match best {
        Some((server, status)) => {
            text.push_str(&format!("{}\n", verdict(status)));
            push_group(&mut text, server, status);
        }
        None => text.push_str("UNREACHABLE: no server has answered\n"),
    }
    for (server, answer) in servers {
        match answer {
            Err(why) => text.push_str(&format!("{server}  unreachable: {why}\n")),
            Ok(status) => {
                let other =
                    best.is_some_and(|(_, best)| best.group.cluster != status.group.cluster);
                if let Some(why) = &status.group.waits_for {
                    text.push_str(&format!(
                        "{server}  {} does not serve: {why}\n",
                        status.node
                    ));
                } else if other {
                    let cluster = status.group.cluster.as_deref().unwrap_or("none");
                    text.push_str(&format!(
                        "{server}  {} is in another cluster: {cluster}\n",
                        status.node
                    ));
                }
            }
        }
    }
    text
}

/// Returns the state of the group in one sentence.
fn verdict(status: &Status) -> String {
    let voters = || status.members.iter().filter(|member| member.is_voter());
    let reachable = voters().filter(|voter| voter.reachable).count();
    let Some(leader) = &status.leader else {
        let why = status.group.waits_for.as_deref();
        return format!("NOT SERVING: {}", why.unwrap_or("there is no leader"));
    };
    let all = voters().count();
    let reached = format!("{reachable} of {all} voters are reachable");
    match status.failure_tolerance {
        // The server has an older release.
        None => format!("serving: {reached}; {leader} leads"),
        Some(0) if all == 1 => format!("serving: {leader} is the only voter, and must not fail"),
        Some(0) => format!("AT RISK: {reached}, and none of them may fail; {leader} leads"),
        Some(more) => format!("serving: {reached}, and {more} more may fail; {leader} leads"),
    }
}

/// Appends the group and its members as one server sees them.
fn push_group(text: &mut String, server: &str, status: &Status) {
    let cluster = status.group.cluster.as_deref().unwrap_or("not formed");
    let leader = status.leader.as_deref().unwrap_or("none");
    let (term, applied, services) = (status.term, status.applied, status.services);
    text.push_str(&format!(
        "cluster {cluster}  leader {leader}  term {term}  applied {applied}  services {services}\n"
    ));
    text.push_str(&format!("as seen by {} ({server})\n\n", status.node));
    push_members(text, status);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::raft::{GroupState, MemberReport, MemberStatus, SecurityStatus};

    fn status(node: &str, leader: Option<&str>, applied: u64) -> Status {
        let member = |node: &str, reachable, lag| MemberStatus {
            security: None,
            node: node.into(),
            role: "voter".into(),
            address: format!("http://{node}:8411"),
            reachable,
            lag,
            report: MemberReport {
                version: Some("0.1.0".to_owned()),
                uptime_s: reachable.then_some(7_199),
                disk_free_bytes: reachable.then_some(87 << 30),
                disk_floor_bytes: reachable.then_some(64 << 20),
                clock_ahead_ms: reachable.then_some(-1_260),
            },
        };
        Status {
            node: node.into(),
            role: Role::Follower,
            leader: leader.map(str::to_owned),
            term: 4,
            applied,
            services: 12,
            security: SecurityStatus::None,
            failure_tolerance: leader.map(|_| 0),
            members: vec![
                member("node1", true, 0),
                member("node2", true, 0),
                member("node-three", false, 71),
            ],
            group: GroupState {
                cluster: Some("3f2a".into()),
                waits_for: None,
            },
        }
    }

    /// The report shows the group as the most advanced server sees it, and each server that is
    /// unreachable or does not serve.
    #[test]
    fn report_shows_the_group_and_the_rest() {
        let mut waiting = status("node4", None, 0);
        waiting.group = GroupState {
            cluster: None,
            waits_for: Some("waits for node5".into()),
        };
        let servers = [
            ("http://node1:8411", Ok(status("node1", None, 900))),
            ("http://node2:8411", Ok(status("node2", Some("node1"), 100))),
            (
                "http://node3:8411",
                Err("Connection refused (os error 111)".to_owned()),
            ),
            ("http://node4:8411", Ok(waiting)),
        ];
        let expected = "\
AT RISK: 2 of 3 voters are reachable, and none of them may fail; node1 leads
cluster 3f2a  leader node1  term 4  applied 100  services 12
as seen by node2 (http://node2:8411)

NODE        ROLE    ADDRESS                 REACHABLE  LAG  VERSION  UP    DISK FREE  CLOCK
node1       leader  http://node1:8411       yes        0    0.1.0    119m  87GB       -1.3s
node2       voter   http://node2:8411       yes        0    0.1.0    119m  87GB       -1.3s
node-three  voter   http://node-three:8411  NO         71   0.1.0    -     -          -

http://node3:8411  unreachable: Connection refused (os error 111)
http://node4:8411  node4 does not serve: waits for node5
";
        assert_eq!(report(&servers), expected);
    }

    /// The first line is a sentence about the whole group.
    #[test]
    fn the_first_line_is_a_verdict() {
        let sentence = |change: fn(&mut Status)| {
            let mut status = status("node1", Some("node2"), 7);
            change(&mut status);
            let servers = [("http://node1:8411", Ok(status))];
            report(&servers).lines().next().map(str::to_owned)
        };
        let whole = sentence(|status| {
            status.members[2].reachable = true;
            status.failure_tolerance = Some(1);
        });
        let expected = "serving: 3 of 3 voters are reachable, and 1 more may fail; node2 leads";
        assert_eq!(whole.as_deref(), Some(expected));
        let older = sentence(|status| status.failure_tolerance = None);
        let expected = "serving: 2 of 3 voters are reachable; node2 leads";
        assert_eq!(older.as_deref(), Some(expected));
        let alone = sentence(|status| status.members.truncate(1));
        let expected = "serving: node2 is the only voter, and must not fail";
        assert_eq!(alone.as_deref(), Some(expected));
        let lost = sentence(|status| {
            status.leader = None;
            status.group.waits_for = Some("no quorum".to_owned());
        });
        assert_eq!(lost.as_deref(), Some("NOT SERVING: no quorum"));
        let none = report(&[("http://node1:8411", Err("refused".to_owned()))]);
        assert!(
            none.starts_with("UNREACHABLE: no server has answered\n"),
            "{none}"
        );
    }
}
