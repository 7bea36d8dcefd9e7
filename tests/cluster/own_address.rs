use crate::support::cluster::FORM_LIMIT;
use crate::support::{Cluster, Options, ports};
use quorate::config::exit_code;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Proves that a node whose inventory entry has another port than it listens on is refused, with
/// both named: peers would never find it.
#[test]
fn a_port_that_is_not_in_the_inventory_is_refused() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let listed = ports::free();
    let node = &mut cluster.nodes[0];
    node.etc.inventory[0].1 = listed;
    node.etc.write();
    node.start();
    let status = node.ended("the refusal");
    let said = node.log();
    assert_eq!(
        status.code(),
        Some(i32::from(exit_code::INVENTORY)),
        "{said}"
    );
    for port in [listed, node.etc.port] {
        assert!(said.contains(&port.to_string()), "{port} in {said}");
    }
}

/// Proves that the same node starts when something forwards the one port to the other, as a
/// container's port mapping does.
#[test]
fn a_forwarded_port_is_accepted() {
    let mut cluster = Cluster::prepare(1, Options::default());
    let node = &mut cluster.nodes[0];
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    node.etc.inventory[0].1 = listener.local_addr().expect("it is bound").port();
    node.etc.write();
    let to = node.address();
    thread::spawn(move || {
        listener
            .incoming()
            .flatten()
            .for_each(|from| forward(from, to))
    });
    node.start();
    node.wait_serving(FORM_LIMIT);
    node.announce_acked("mapped", "engine", 1);
}

fn forward(from: TcpStream, to: std::net::SocketAddr) {
    let Ok(to) = TcpStream::connect(to) else {
        return;
    };
    let pipes = [(from.try_clone(), to.try_clone()), (Ok(to), Ok(from))];
    for (source, sink) in pipes {
        let (Ok(mut source), Ok(mut sink)) = (source, sink) else {
            return;
        };
        thread::spawn(move || {
            // Either side may close first; the other then has nothing more to say.
            let _ = io::copy(&mut source, &mut sink);
            let _ = sink.shutdown(std::net::Shutdown::Both);
        });
    }
}
