//! Golden tests: scenarios in a small language, with a trace of everything observed.
//!
//! A file in `goldens/` has one sentence of intent, an empty line, commands, `---`, and the trace.
//! Each line of commands is one entry of the log, in which commands are separated by `;`.
//!
//! ```text
//! announce NODE [seen=N] [pool=P] [location=L] [ID:TYPE[:KEY=VALUE,...]]...
//! renew NODE [as for announce] withdraw NODE [seen=N]      tick MS [grace=MS]       blank
//! static ID TYPE POOL          unstatic ID                 retire RAFT-ID...        level N
//! ```
//! Commands that add no entry to the log: `max-age MS`, `step MS`, `show all|statics|TYPE [POOL]`
//! (`as before` means that the very same bytes were returned), `state`, `snapshot` (continues with
//! the registry restored from it), `retired RAFT-ID`. `seen` defaults to the applied index.
//!
//! To accept new traces: `cargo test -p quorate-registry rewrite_goldens -- --ignored`, and review
//! the diff.

use crate::model::{Announcement, Lookup, Properties, Service, StaticService};
use crate::{Batch, Command, Registry, Rendered};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every scenario produces the trace that was reviewed with it.
#[test]
fn goldens() {
    let mut differ = Vec::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, expected) = text.split_once("\n---\n").unwrap_or((&text, ""));
        let observed = observe(&text);
        if observed != expected {
            differ.push(format!("{}:\n{observed}", path.display()));
        }
    }
    assert!(differ.is_empty(), "these differ:\n{}", differ.join("\n"));
}

/// Writes the observed traces to the files.
#[test]
#[ignore = "rewrites the goldens"]
fn rewrite_goldens() {
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let input = text.split("\n---\n").next().unwrap().trim_end();
        std::fs::write(&path, format!("{input}\n---\n{}", observe(&text))).unwrap();
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/goldens");
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|x| x == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn observe(text: &str) -> String {
    let input = text.split("\n---\n").next().unwrap();
    let (_intent, commands) = input
        .split_once("\n\n")
        .expect("a sentence, an empty line, commands");
    let mut stage = GoldenStage {
        registry: Registry::new("test"),
        max_age_ms: 3_000,
        step_ms: 1_000,
        shown: BTreeMap::new(),
    };
    let mut trace = String::new();
    for line in commands.lines().filter(|line| !line.trim().is_empty()) {
        let result = stage.run(line);
        writeln!(trace, "> {line}\n{result}").unwrap();
        assert_eq!(
            stage.registry.digest(),
            stage.registry.recompute_digest(),
            "{line}"
        );
    }
    trace
}

struct GoldenStage {
    registry: Registry,
    max_age_ms: u64,
    step_ms: u64,
    shown: BTreeMap<Lookup, Arc<Rendered>>,
}

impl GoldenStage {
    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["max-age", ms] => self.max_age_ms = ms.parse().unwrap(),
            ["step", ms] => self.step_ms = ms.parse().unwrap(),
            ["show", what @ ..] => return self.show(what),
            ["state"] => return state(&self.registry),
            ["snapshot"] => {
                let bytes = self.registry.to_snapshot();
                self.registry = Registry::from_snapshot(&bytes).unwrap();
                assert_eq!(self.registry.to_snapshot(), bytes);
            }
            ["retired", id] => return self.registry.is_retired(id.parse().unwrap()).to_string(),
            ["blank"] => {
                self.registry.advance(self.registry.applied_index() + 1);
            }
            _ => {
                let commands = line
                    .split(';')
                    .map(|command| self.command(command))
                    .collect();
                let batch = Batch {
                    max_age_ms: self.max_age_ms,
                    step_ms: self.step_ms,
                    commands,
                };
                let index = self.registry.applied_index() + 1;
                let outcomes = self.registry.apply(index, &batch);
                let outcomes: Vec<String> = outcomes
                    .iter()
                    .map(|outcome| format!("{outcome:?}"))
                    .collect();
                return format!("{index}: {}", outcomes.join("; "));
            }
        }
        "ok".to_owned()
    }

    fn command(&self, text: &str) -> Command {
        let words: Vec<&str> = text.split_whitespace().collect();
        let option = |name: &str| {
            words
                .iter()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let seen =
            option("seen").map_or(self.registry.applied_index(), |seen| seen.parse().unwrap());
        match words.as_slice() {
            ["announce", node, rest @ ..] => Command::Announce {
                seen,
                announcement: announcement(node, rest),
            },
            ["renew", node, rest @ ..] => Command::Renew {
                seen,
                node_id: (*node).to_owned(),
                digest: announcement(node, rest).digest(),
            },
            ["withdraw", node, ..] => Command::Withdraw {
                seen,
                node_id: (*node).to_owned(),
            },
            ["tick", ms, ..] => Command::Tick {
                advance_ms: ms.parse().unwrap(),
                grace_ms: option("grace").map(|ms| ms.parse().unwrap()),
            },
            ["static", id, service_type, pool] => Command::AddStatic(StaticService {
                id: (*id).to_owned(),
                service_type: (*service_type).to_owned(),
                pool: (*pool).to_owned(),
                location: format!("/somewhere/{id}"),
                properties: Properties::default(),
            }),
            ["unstatic", id] => Command::RemoveStatic {
                id: (*id).to_owned(),
            },
            ["retire", ids @ ..] => Command::Retire {
                raft_ids: ids.iter().map(|id| id.parse().unwrap()).collect(),
            },
            ["level", level] => Command::Level(level.parse().unwrap()),
            _ => panic!("not a command: {text}"),
        }
    }

    fn show(&mut self, what: &[&str]) -> String {
        let lookup = match *what {
            ["all"] => Lookup::All,
            ["statics"] => Lookup::Statics,
            [service_type] => Lookup::Type(service_type.to_owned()),
            [service_type, pool] => Lookup::TypeAndPool(service_type.to_owned(), pool.to_owned()),
            _ => panic!("not a lookup: {what:?}"),
        };
        let rendered = self.registry.lookup(&lookup);
        let before = self.shown.insert(lookup.clone(), rendered.clone());
        let changed = self.registry.changed_index(&lookup);
        if before.is_some_and(|before| Arc::ptr_eq(&before, &rendered)) {
            return format!("changed at {changed}, as before");
        }
        format!(
            "changed at {changed}: {}",
            std::str::from_utf8(rendered.json()).unwrap().trim_end()
        )
    }
}

fn announcement(node: &str, words: &[&str]) -> Announcement {
    let option = |name: &str| {
        words
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let services = words.iter().filter_map(|word| {
        let mut parts = word.splitn(3, ':');
        let (id, service_type) = (parts.next()?, parts.next()?);
        let pairs = parts
            .next()
            .into_iter()
            .flat_map(|pairs| pairs.split(','))
            .filter_map(|pair| pair.split_once('='));
        let properties = pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Some(Service {
            id: id.to_owned(),
            service_type: service_type.to_owned(),
            properties,
        })
    });
    Announcement {
        node_id: node.to_owned(),
        pool: option("pool").unwrap_or("general").to_owned(),
        location: option("location").map_or_else(|| format!("/somewhere/{node}"), str::to_owned),
        services: services.collect(),
    }
}

fn state(registry: &Registry) -> String {
    let mut line = format!(
        "applied {} level {} cluster {} ms grace {} ms services {}",
        registry.applied_index(),
        registry.level(),
        registry.cluster_ms(),
        registry.grace_left_ms(),
        registry.services()
    );
    for (node_id, held) in registry.nodes() {
        let (joined, changed, written) =
            (held.joined_index, held.changed_index, held.written_index);
        write!(
            line,
            "\n{node_id}: until {} ms, joined {joined} changed {changed} written {written}",
            held.deadline_ms
        )
        .unwrap();
    }
    line
}
