//! Tests that the memory of the registry matches its counted cost, for the shapes of entries with
//! the highest overhead.

use allocation_counter::measure;
use quorate::model::{Announcement, Lookup, Properties, Service, StaticService};
use quorate::registry::{Command, LEVEL, MAX_SERVICES, Outcome, Registry};
use quorate_costs::batch;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

/// Number of counted bytes up to which a registry is filled. The result of the test holds for any
/// other number too, since both actual and counted bytes are sums over entries.
const COUNTED_BYTES: usize = 64 << 20;
/// Memory that a node may use in addition to one and a half times the counted bytes.
const BESIDE_BYTES: f64 = 40e6;

/// A function from the number of an entry to its command.
type Shape = fn(usize) -> Command;

const SHAPES: [(&str, Shape); 9] = [
    ("a type for each service", type_each),
    ("a pool for each node", pool_each),
    ("tiny services", tiny_services),
    ("nodes without services", no_services),
    ("huge properties", |i| one_service(i, "x", 900_000)),
    ("properties that JSON escapes", |i| {
        one_service(i, "\u{1}", 150_000)
    }),
    ("long names", long_names),
    ("tiny statics", tiny_static),
    ("nodes of an engine", engine),
];

fn announce(announcement: Announcement) -> Command {
    Command::Announce {
        seen: u64::MAX,
        announcement,
    }
}

fn node(i: usize, pool: String, services: Vec<Service>) -> Command {
    announce(Announcement {
        node_id: format!("n{i}"),
        pool,
        location: "/".to_owned(),
        services: services.into(),
    })
}

fn service(id: String, service_type: String) -> Service {
    Service {
        id,
        service_type,
        properties: BTreeMap::new(),
    }
}

fn type_each(i: usize) -> Command {
    let services = (0..MAX_SERVICES).map(|k| service(format!("{k}"), format!("{i}-{k}")));
    node(i, "p".to_owned(), services.collect())
}

fn pool_each(i: usize) -> Command {
    node(
        i,
        format!("p{i}"),
        vec![service("i".to_owned(), "t".to_owned())],
    )
}

fn tiny_services(i: usize) -> Command {
    let services = (0..MAX_SERVICES).map(|k| service(format!("{k}"), "t".to_owned()));
    node(i, "p".to_owned(), services.collect())
}

fn no_services(i: usize) -> Command {
    node(i, "p".to_owned(), Vec::new())
}

fn one_service(i: usize, text: &str, count: usize) -> Command {
    let mut huge = service("i".to_owned(), "t".to_owned());
    huge.properties.insert("k".to_owned(), text.repeat(count));
    node(i, "p".to_owned(), vec![huge])
}

fn long_names(i: usize) -> Command {
    let long = |what: &str| format!("{what}{i}-{}", "x".repeat(1_000));
    let services =
        (0..8).map(|k| service(format!("{k}{}", long("s")), format!("{k}{}", long("t"))));
    announce(Announcement {
        node_id: long("n"),
        pool: long("p"),
        location: long("l"),
        services: services.collect(),
    })
}

fn tiny_static(i: usize) -> Command {
    Command::AddStatic(StaticService {
        id: format!("00000000-0000-4000-8000-{i:012}"),
        service_type: "t".to_owned(),
        pool: "p".to_owned(),
        location: "/".to_owned(),
        properties: Properties::default(),
    })
}

fn engine(i: usize) -> Command {
    announce(quorate_costs::announcement(i, 1))
}

/// Fills a registry with entries of a shape, up to [`COUNTED_BYTES`].
fn filled(shape: Shape) -> Registry {
    let mut registry = Registry::new("test");
    registry.apply(1, &batch(vec![Command::Level(LEVEL)]));
    for i in 0.. {
        if registry.counted_bytes() >= COUNTED_BYTES {
            break;
        }
        let index = registry.applied_index() + 1;
        let outcomes = registry.apply(index, &batch(vec![shape(i)]));
        assert_eq!(outcomes, [Outcome::Applied], "entry {i}");
        registry.take_changes();
    }
    registry
}

/// Returns lookups that find services: all services, all static ones, and a sample of types and
/// pools.
fn lookups(registry: &Registry) -> Vec<Lookup> {
    let mut groups = BTreeSet::new();
    for (_, held) in registry.nodes() {
        let announcement = held.announcement();
        for service in announcement.services.iter() {
            groups.insert((service.service_type.to_owned(), announcement.pool.clone()));
        }
    }
    let of_groups = groups.into_iter().flat_map(|(service_type, pool)| {
        [
            Lookup::Type(service_type.clone()),
            Lookup::TypeAndPool(service_type, pool),
        ]
    });
    // A sample of these lookups is enough, since thousands of them are alike.
    let few = of_groups.step_by(7).take(300);
    [Lookup::All, Lookup::Statics]
        .into_iter()
        .chain(few)
        .collect()
}

/// The registry and a snapshot together take at most one and a half times the counted bytes. The
/// registry and its largest lookup together take at most one and a half times the counted bytes
/// plus [`BESIDE_BYTES`].
#[test]
fn the_registry_takes_what_it_counts() {
    for (name, shape) in SHAPES {
        let mut held = None;
        let built = measure(|| held = Some(black_box(filled(shape))));
        let registry = held.take().expect("it was just built");
        let counted = registry.counted_bytes() as f64;
        let own = built.bytes_current as f64;
        let snapshot = measure(|| {
            let image = registry.image();
            black_box(image.to_bytes());
        });
        let with_snapshot = own + snapshot.bytes_max as f64;
        let lookups = lookups(&registry);
        let one_lookup = lookups
            .iter()
            .map(|lookup| measure(|| drop(black_box(registry.lookup(lookup).gzip()))).bytes_max)
            .max()
            .unwrap_or(0) as f64;
        println!(
            "{name}: counted {:.1} MB; held {:.2} of it, with a snapshot {:.2}, a lookup {:.2}",
            counted / 1e6,
            own / counted,
            with_snapshot / counted,
            one_lookup / counted,
        );
        assert!(with_snapshot <= 1.5 * counted, "{name}");
        assert!(own + one_lookup <= 1.5 * counted + BESIDE_BYTES, "{name}");
    }
}

/// 100,000 services of an engine are counted as less than 120 MB. This is less than half of the
/// limit of 256 MiB (`MAX_HELD_BYTES`).
#[test]
fn services_of_engines_count_little() {
    let each = {
        let mut registry = Registry::new("test");
        let commands = [Command::Level(LEVEL)]
            .into_iter()
            .chain((0..1_000).map(engine));
        registry.apply(1, &batch(commands.collect()));
        registry.counted_bytes() / 1_000
    };
    println!("{each} bytes");
    assert!(100_000 * each < 120_000_000, "{each} bytes");
}
