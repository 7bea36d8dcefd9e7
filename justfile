# `just` lists these; each calls the script or command of the same meaning. CONTRIBUTING.md explains
# them.

[private]
default:
    @{{ just_executable() }} --list --unsorted

# Everything that must pass before a push
check:
    scripts/check

# Repair lints and format
fix:
    scripts/fix

# Fast tests of one module or test name, such as `just test registry`
test *NAME:
    cargo test --lib {{ NAME }}

# One concern of the cluster tests, such as `just cluster-test freeze`
cluster-test *NAME:
    cargo test --test cluster {{ NAME }}

# A cluster on this machine: up, status, kill 1, down
cluster *ARGS:
    scripts/cluster.sh {{ ARGS }}

# A seed of the simulated cluster, or a range FROM..TO
sim *ARGS:
    scripts/sim {{ ARGS }}

# Fuzz each target for so many seconds
fuzz *ARGS:
    scripts/fuzz {{ ARGS }}

# Show that the tests find errors planted on purpose
planted *NAMES:
    scripts/planted {{ NAMES }}

# Compare with airlift, etcd and the machine's limit, or with another build
bench *ARGS:
    scripts/bench {{ ARGS }}

# Faults for MINUTES, everything judged
soak *MINUTES:
    scripts/soak {{ MINUTES }}

# A real engine: trino, trino-483, presto or presto-0.296; --secured
engines *ARGS:
    tests/engines/run {{ ARGS }}
