//! `kill -9` at random points under load, then a start on what is left.

use std::time::{Duration, Instant};

use millrace_conformance::prng::Prng;

use crate::load::{Client, Counts, EVENTS, NDJSON, now};
use crate::model::{Event, Model};
use crate::project::Project;
use crate::server::Server;
use crate::{Options, Outcome};

const CLIENTS: usize = 3;
/// From the start of the process until a feature is read.
const READABLE_WITHIN: Duration = Duration::from_secs(5);
/// A batch that was in flight may have left its dead letters without being acknowledged.
const DEAD_PER_BATCH_MAX: u64 = 120;

/// What all rounds together showed.
#[derive(Debug, Default)]
struct Tally {
    values: usize,
    taken: usize,
    not_taken: usize,
    readable: Vec<Duration>,
    dead_maybe: u64,
}

pub fn run(options: &Options) -> Outcome {
    let project = Project::new();
    let mut random = Prng::new(options.seed);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::new(n, options.seed)).collect();
    let mut model = Model::new(&project.plan);
    let mut tally = Tally::default();
    let mut own = Counts::default();
    for round in 0..=options.rounds {
        let server = start(&project, &mut tally);
        if round == 0 {
            own = first(&server, &mut model, &mut random);
        }
        check(&server, &mut clients, &mut model, own, &mut tally);
        if round == options.rounds {
            assert!(server.stop(), "the server stops in order when asked to");
            break;
        }
        let pause = Duration::from_millis(random.between(50, 1_500) as u64);
        let address = server.address;
        std::thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| client.run(address));
            }
            std::thread::sleep(pause);
            server.kill();
        });
    }
    // After a stop in order everything is in the last checkpoint.
    let server = start(&project, &mut tally);
    check(&server, &mut clients, &mut model, own, &mut tally);
    let refused: usize = clients.iter().map(|c| c.refused).sum();
    let mut readable = tally.readable;
    readable.sort_unstable();
    let (median, worst) = (readable[readable.len() / 2], readable[readable.len() - 1]);
    Outcome::Passed(format!(
        "  {} kills, {} events acknowledged, 0 lost, 0 duplicated; {} values compared\n  \
         in flight: {} batches wholly in, {} wholly out; {refused} refused as too many\n  \
         readable after {median:.0?} (median), {worst:.0?} (worst)",
        options.rounds, model.events, tally.values, tally.taken, tally.not_taken
    ))
}

fn start(project: &Project, tally: &mut Tally) -> Server {
    let begun = Instant::now();
    let server = Server::start(project.folder.path(), &project.data());
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let read = server.connect().get("/v1/features/by_card/card-1").expect("the server answers");
    assert_eq!(read.status, 200, "{}", read.text());
    let readable = begun.elapsed();
    assert!(readable <= READABLE_WITHIN, "readable after {readable:?}");
    tally.readable.push(readable);
    server
}

/// One event at the present, so that from now on late ones are late.
fn first(server: &Server, model: &mut Model, random: &mut Prng) -> Counts {
    let event = Event::random(random, "first".to_owned(), now());
    let answer = server.connect().post(EVENTS, NDJSON, event.line().as_bytes());
    let counts = Counts::of(&answer.expect("the server answers").json());
    assert_eq!(counts, Counts { applied: 1, ..Counts::default() });
    model.count(&event);
    counts
}

fn check(
    server: &Server,
    clients: &mut [Client],
    model: &mut Model,
    own: Counts,
    tally: &mut Tally,
) {
    let mut connection = server.connect();
    for client in clients.iter_mut() {
        match client.resend(&mut connection) {
            Some(true) => tally.taken += 1,
            Some(false) => tally.not_taken += 1,
            None => continue,
        }
        tally.dead_maybe += DEAD_PER_BATCH_MAX;
    }
    let mut expected = own;
    for client in clients.iter_mut() {
        client.acknowledged.drain(..).for_each(|event| model.count(&event));
        expected.add(client.counts);
    }
    // The specification takes its time, longer perhaps than a connection may be idle.
    let mut connection = server.connect();
    let found = Counts::of_metrics(&mut connection);
    assert_eq!(found.applied, model.events as u64);
    assert_eq!(Counts { dead: 0, ..found }, Counts { dead: 0, ..expected });
    let dead = expected.dead..=expected.dead + tally.dead_maybe;
    assert!(dead.contains(&found.dead), "{} dead letters, not {dead:?}", found.dead);
    tally.values += model.compare(&mut connection, now());
}
