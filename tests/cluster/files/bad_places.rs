//! Tests of ports and data directories that a node refuses at its start.

use crate::support::cluster::FORM_LIMIT;
use crate::support::etc::write;
use crate::support::node::Node;
use crate::support::{Cluster, Options};
use quorate::config::exit_code;
use std::fs;
use std::net::TcpListener;

/// A port in use is refused with a message that names it, and no file is overwritten.
#[test]
fn a_port_in_use_is_refused() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let taken = TcpListener::bind(cluster.nodes[0].address()).expect("the port is free");
    cluster.nodes[0].start();
    must_end(
        &mut cluster.nodes[0],
        exit_code::PORT,
        &[&taken.local_addr().expect("it is bound").port().to_string()],
    );
    drop(taken);
    cluster.nodes[0].start();
    cluster.nodes[0].wait_serving(FORM_LIMIT);
}

/// A data directory belongs to one process at a time: a second process is refused, and the first is
/// not affected.
#[test]
fn a_data_directory_in_use_is_refused() {
    let cluster = Cluster::start(1, Options::default());
    cluster.nodes[0].announce_acked("held", "engine", 1);
    let mut etc = cluster.nodes[0].etc.clone();
    etc.dir = cluster.dir().join("second");
    etc.port = crate::support::ports::free();
    etc.inventory[0].1 = etc.port;
    etc.write();
    let used = cluster.nodes[0].etc.data_dir();
    point_data_dir(&etc, &used.to_string_lossy());
    let mut second = Node::new_as_written(etc);
    let says = used.to_string_lossy();
    second.start();
    must_end(&mut second, exit_code::DATA_IN_USE, &[&says]);
    // The second process is refused even if it is configured with a pid file of its own.
    let own = cluster.dir().join("own.pid");
    second.options = vec!["--pid-file".to_owned(), own.to_string_lossy().into_owned()];
    second.start();
    must_end(&mut second, exit_code::DATA_IN_USE, &[&says]);
    assert_eq!(
        cluster.nodes[0]
            .tokens("held")
            .expect("the first serves")
            .get("engine"),
        Some(&1)
    );
    cluster.nodes[0].announce_acked("held", "engine", 2);
}

/// A data directory that cannot be written is refused with its path. In this test the path is that
/// of a file, because root may write to any directory.
#[test]
fn a_data_directory_that_cannot_be_written_is_refused() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let data = cluster.nodes[0].etc.data_dir();
    write(&data, "a file");
    cluster.nodes[0].start();
    must_end(
        &mut cluster.nodes[0],
        exit_code::DATA_UNUSABLE,
        &[&data.to_string_lossy()],
    );
    assert_eq!(
        fs::read_to_string(&data).expect("it is still there"),
        "a file"
    );
}

/// A data directory of another `node.id` is refused with a message that names both ids. The node
/// serves again under the `node.id` of the data.
#[test]
fn data_of_another_node_id_is_refused() {
    let mut cluster = Cluster::start(1, Options::default());
    cluster.nodes[0].announce_acked("named", "engine", 1);
    cluster.stop_all();
    let node = &mut cluster.nodes[0];
    node.etc.node_id = "somebody-else".to_owned();
    node.etc.inventory[0].0 = "somebody-else".to_owned();
    node.etc.write();
    node.start();
    must_end(node, exit_code::IDENTITY, &["quorate-1", "somebody-else"]);

    node.etc.node_id = "quorate-1".to_owned();
    node.etc.inventory[0].0 = "quorate-1".to_owned();
    node.etc.write();
    node.start();
    node.wait_serving(FORM_LIMIT);
    assert_eq!(
        node.tokens("named").expect("it serves").get("engine"),
        Some(&1)
    );
}

/// A corrupt database is refused with the name of its file, and not replaced.
#[test]
fn a_spoiled_database_is_refused() {
    let mut cluster = Cluster::start(1, Options::default());
    cluster.nodes[0].announce_acked("spoiled", "engine", 1);
    cluster.stop_all();
    let node = &mut cluster.nodes[0];
    let database = files_below(&node.etc.data_dir())
        .into_iter()
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "redb")
        })
        .expect("the data directory holds a database");
    fs::write(&database, vec![0xa5; 64 * 1024]).expect("it can be written");
    node.start();
    must_end(
        node,
        exit_code::DATA_CORRUPT,
        &[&database
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()],
    );
    assert_eq!(
        fs::read(&database).expect("it is still there"),
        vec![0xa5; 64 * 1024]
    );
}

fn must_end(node: &mut Node, code: u8, says: &[&str]) {
    let status = node.ended("the rejection");
    let said = node.log();
    assert_eq!(status.code(), Some(i32::from(code)), "{said}");
    for word in says {
        assert!(said.contains(word), "not named: {word:?} in\n{said}");
    }
    assert!(!said.contains("panicked at"), "{said}");
}

fn point_data_dir(etc: &crate::support::etc::Etc, to: &str) {
    let path = etc.etc_dir().join("node.properties");
    let text = fs::read_to_string(&path).expect("it was written");
    let own = etc.data_dir().to_string_lossy().into_owned();
    write(&path, &text.replace(&own, to));
}

fn files_below(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        // Symbolic links are skipped, because they may lead out of the directory, or in a circle.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
