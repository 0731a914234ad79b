//! Keys of the cluster: Nimbus, supervisors, workers and clients.

use super::super::key::{Fallback, Key, Kind, Origin, Scope, Unit};
use super::{
    BYTES, COUNT, MIB, MILLIS, PORT, POSITIVE, POSITIVE_MILLIS, POSITIVE_SECS, SECS, span,
};

keys! {
    /// Every key of daemons and clients that something reads, sorted by name.
    CLUSTER;
    DRPC_INVOCATIONS_PORT = "drpc.invocations.port", PORT, Fallback::Whole(3773), Cluster, Storm,
        "Port on which a DRPC server serves the spouts and bolts that answer calls.";
    DRPC_INVOCATIONS_THREADS = "drpc.invocations.threads", POSITIVE, Fallback::Whole(64), Cluster, Storm,
        "Most connections of answering components that are served at once.";
    DRPC_MAX_BUFFER_SIZE = "drpc.max_buffer_size", BYTES, Fallback::Whole(1_048_576), Cluster, Storm,
        "Largest frame that a DRPC server and its clients accept.";
    DRPC_PORT = "drpc.port", PORT, Fallback::Whole(3772), Cluster, Storm,
        "Port on which a DRPC server serves its clients.";
    DRPC_QUEUE_SIZE = "drpc.queue.size", POSITIVE, Fallback::Whole(128), Cluster, Storm,
        "Calls that wait in a DRPC server before further ones are refused.";
    DRPC_REQUEST_TIMEOUT = "drpc.request.timeout.secs", POSITIVE_SECS, Fallback::Whole(600), Cluster, Storm,
        "Time after which a DRPC call without an answer fails.";
    DRPC_SERVERS = "drpc.servers", Kind::Texts, Fallback::Unset, Cluster, Storm,
        "Hosts of the DRPC servers. Unset: there are none.";
    DRPC_WORKER_THREADS = "drpc.worker.threads", POSITIVE, Fallback::Whole(64), Cluster, Storm,
        "Most connections of clients that a DRPC server serves at once.";
    EXECUTOR_METRICS_FREQUENCY = "executor.metrics.frequency.secs", POSITIVE_SECS, Fallback::Whole(60), Cluster, Storm,
        "How often a worker writes its statistics into the cluster's state. Workers on the native engine report each second, to their supervisor.";
    LOGVIEWER_CLEANUP_AGE = "logviewer.cleanup.age.mins", span(Unit::Mins, 1), Fallback::Whole(10080), Cluster, Storm,
        "Age at which the logs of a worker that is gone are removed.";
    LOGVIEWER_MAX_PER_WORKER = "logviewer.max.per.worker.logs.size.mb", MIB, Fallback::Whole(2048), Cluster, Storm,
        "Most space that the logs of one worker take.";
    LOGVIEWER_MAX_SUM = "logviewer.max.sum.worker.logs.size.mb", MIB, Fallback::Whole(4096), Cluster, Storm,
        "Most space that the logs of all workers of a supervisor take.";
    LOGVIEWER_PORT = "logviewer.port", PORT, Fallback::Whole(8000), Cluster, Storm,
        "Port of the log viewer.";
    NIMBUS_ADMINS = "nimbus.admins", Kind::Texts, Fallback::Unset, Cluster, Storm,
        "Users that may do everything. Unset: nobody is set apart.";
    NIMBUS_ASSIGNMENTS_QUEUE_SIZE = "nimbus.assignments.service.thread.queue.size", POSITIVE, Fallback::Whole(100), Cluster, Storm,
        "Assignments that wait for being pushed to a supervisor; what does not fit is polled by the supervisor.";
    NIMBUS_ASSIGNMENTS_THREADS = "nimbus.assignments.service.threads", POSITIVE, Fallback::Whole(10), Cluster, Storm,
        "Supervisors to which assignments are pushed at the same time.";
    NIMBUS_AUTHORIZER = "nimbus.authorizer", Kind::Text, Fallback::Unset, Cluster, Storm,
        "What decides who may call what on Nimbus. Unset: everybody may call everything.";
    NIMBUS_BLOBSTORE_EXPIRATION = "nimbus.blobstore.expiration.secs", POSITIVE_SECS, Fallback::Whole(600), Cluster, Storm,
        "Time after which an upload or download of a blob that nobody continues is given up.";
    NIMBUS_CLEANUP_INBOX_FREQ = "nimbus.cleanup.inbox.freq.secs", POSITIVE_SECS, Fallback::Whole(600), Cluster, Storm,
        "How often Nimbus looks for uploaded archives that no topology took.";
    NIMBUS_EXECUTORS_PER_TOPOLOGY = "nimbus.executors.perTopology", POSITIVE, Fallback::Unset, Cluster, Storm,
        "Most executors of one topology; a larger one is refused. Unset: no limit.";
    NIMBUS_FILE_COPY_EXPIRATION = "nimbus.file.copy.expiration.secs", POSITIVE_SECS, Fallback::Whole(600), Cluster, Storm,
        "Time after which an upload or download of an archive that nobody continues is given up.";
    NIMBUS_INBOX_EXPIRATION = "nimbus.inbox.jar.expiration.secs", POSITIVE_SECS, Fallback::Whole(3600), Cluster, Storm,
        "Age at which an uploaded archive that no topology took is removed.";
    NIMBUS_METRICS_PORT = "nimbus.metrics.port", Kind::Port { min: 0 }, Fallback::Whole(0), Cluster, Ours,
        "Loopback port on which Nimbus answers GET /metrics in Prometheus' text format. 0: any that is free.";
    NIMBUS_MONITOR_FREQ = "nimbus.monitor.freq.secs", POSITIVE_SECS, Fallback::Whole(10), Cluster, Storm,
        "How often Nimbus looks for dead executors and reassigns them. Submitting, rebalancing and killing do not wait for it.";
    NIMBUS_QUEUE_SIZE = "nimbus.queue.size", POSITIVE, Fallback::Whole(100_000), Cluster, Storm,
        "Calls that wait in Nimbus before further ones are refused.";
    NIMBUS_SEEDS = "nimbus.seeds", Kind::Texts, Fallback::Texts(&["localhost"]), Cluster, Storm,
        "Hosts at which a client looks for the Nimbus that leads; each may have a port of its own after a colon, which Storm does not know.";
    NIMBUS_SLOTS_PER_TOPOLOGY = "nimbus.slots.perTopology", POSITIVE, Fallback::Unset, Cluster, Storm,
        "Most workers of one topology; a larger one is refused. Unset: no limit.";
    NIMBUS_SUPERVISOR_TIMEOUT = "nimbus.supervisor.timeout.secs", POSITIVE_SECS, Fallback::Whole(60), Cluster, Storm,
        "Silence after which a supervisor counts as dead and its slots are not used.";
    NIMBUS_TASK_LAUNCH = "nimbus.task.launch.secs", POSITIVE_SECS, Fallback::Whole(120), Cluster, Storm,
        "Time that executors which were just assigned have until their first heartbeat.";
    NIMBUS_TASK_TIMEOUT = "nimbus.task.timeout.secs", POSITIVE_SECS, Fallback::Whole(30), Cluster, Storm,
        "Silence after which executors count as dead and are assigned elsewhere.";
    NIMBUS_MAX_BUFFER_SIZE = "nimbus.thrift.max_buffer_size", BYTES, Fallback::Whole(16_777_216), Cluster, Storm,
        "Largest frame that Nimbus and its clients accept (Storm: 1048576, too little for a large topology); memory is taken as bytes arrive.";
    NIMBUS_THRIFT_PORT = "nimbus.thrift.port", PORT, Fallback::Whole(6627), Cluster, Storm,
        "Port on which Nimbus serves Thrift.";
    NIMBUS_THRIFT_THREADS = "nimbus.thrift.threads", POSITIVE, Fallback::Whole(64), Cluster, Storm,
        "Calls that Nimbus handles at once.";
    NIMBUS_TLS_MAX_BUFFER_SIZE = "nimbus.thrift.tls.max_buffer_size", BYTES, Fallback::Whole(1_048_576), Cluster, Storm,
        "Largest message that Nimbus accepts over TLS.";
    NIMBUS_TLS_PORT = "nimbus.thrift.tls.port", Kind::Port { min: 0 }, Fallback::Whole(0), Cluster, Storm,
        "Port on which Nimbus serves Thrift over TLS; 0: none.";
    NIMBUS_BLOBSTORE_DELETION_DELAY = "nimbus.topology.blobstore.deletion.delay.ms", MILLIS, Fallback::Whole(300_000), Cluster, Storm,
        "How long the blobs of a topology that is gone are kept.";
    STORM_ACL_VALIDATION = "storm.blobstore.acl.validation.enabled", Kind::Flag, Fallback::Flag(false), Cluster, Storm,
        "Whether the access lists of blobs are enforced.";
    STORM_UPLOAD_CHUNK = "storm.blobstore.inputstream.buffer.size.bytes", BYTES, Fallback::Whole(65_536), Cluster, Storm,
        "Size of the pieces in which blobs travel.";
    STORM_BLOB_REPLICATION = "storm.blobstore.replication.factor", POSITIVE, Fallback::Whole(3), Cluster, Storm,
        "Copies that a blob should have on several Nimbuses.";
    STORM_CLUSTER_MODE = "storm.cluster.mode", Kind::Text, Fallback::Text("distributed"), Cluster, Storm,
        "`distributed`, or `local` in a simulated cluster.";
    STORM_GZIP_MAX = "storm.compression.gzip.max.decompressed.bytes", BYTES, Fallback::Whole(104_857_600), Cluster, Storm,
        "Most bytes to which a compressed record of the cluster's state may grow.";
    STORM_METRICS_INTERVAL = "storm.daemon.metrics.reporter.interval.secs", POSITIVE_SECS, Fallback::Whole(10), Cluster, Storm,
        "How often daemons hand their metrics to reporters. Prometheus text is always current.";
    STORM_HEALTH_CHECK_DIR = "storm.health.check.dir", Kind::Text, Fallback::Text("healthchecks"), Cluster, Storm,
        "Folder of scripts that tell whether a supervisor's machine is fit.";
    STORM_HEALTH_CHECK_TIMEOUT = "storm.health.check.timeout.ms", POSITIVE_MILLIS, Fallback::Whole(5000), Cluster, Storm,
        "Time that one such script may take.";
    STORM_LOCAL_DIR = "storm.local.dir", Kind::Text, Fallback::Text("storm-local"), Cluster, Storm,
        "Folder in which a daemon keeps what it needs again; relative: beneath the working directory.";
    STORM_LOCAL_HOSTNAME = "storm.local.hostname", Kind::Text, Fallback::Unset, Cluster, Storm,
        "Name under which others reach this machine. Unset: daemons serve on loopback only (Storm: the canonical host name).";
    NETTY_BUFFER_SIZE = "storm.messaging.netty.buffer_size", BYTES, Fallback::Whole(5_242_880), Cluster, Storm,
        "Bytes that may wait for one peer before its senders are held back.";
    NETTY_MAX_WAIT = "storm.messaging.netty.max_wait_ms", POSITIVE_MILLIS, Fallback::Whole(1000), Cluster, Storm,
        "Longest pause between two attempts to reach a peer.";
    NETTY_MIN_WAIT = "storm.messaging.netty.min_wait_ms", POSITIVE_MILLIS, Fallback::Whole(100), Cluster, Storm,
        "Shortest pause between two attempts to reach a peer.";
    NETTY_BACKLOG = "storm.messaging.netty.socket.backlog", POSITIVE, Fallback::Whole(500), Cluster, Storm,
        "Connections that may wait to be accepted by a worker.";
    NETTY_BATCH_SIZE = "storm.messaging.netty.transfer.batch.size", BYTES, Fallback::Whole(262_144), Cluster, Storm,
        "Most bytes that are written to a peer at once.";
    NIMBUS_RETRY_INTERVAL = "storm.nimbus.retry.interval.millis", POSITIVE_MILLIS, Fallback::Whole(2000), Cluster, Storm,
        "Pause before a client first tries Nimbus again; it doubles each time.";
    NIMBUS_RETRY_CEILING = "storm.nimbus.retry.intervalceiling.millis", POSITIVE_MILLIS, Fallback::Whole(60_000), Cluster, Storm,
        "Longest pause between two attempts of a client.";
    NIMBUS_RETRY_TIMES = "storm.nimbus.retry.times", COUNT, Fallback::Whole(5), Cluster, Storm,
        "How often a client tries Nimbus again.";
    STORM_SCHEDULER = "storm.scheduler", Kind::Text, Fallback::Unset, Cluster, Storm,
        "The scheduler by its class name. Unset: the even one.";
    STORM_SOCKET_TIMEOUT = "storm.thrift.socket.timeout.ms", POSITIVE_MILLIS, Fallback::Whole(600_000), Cluster, Storm,
        "Silence after which a Thrift connection is given up.";
    STORM_THRIFT_TRANSPORT = "storm.thrift.transport", Kind::Text, Fallback::Text("org.apache.storm.security.auth.SimpleTransportPlugin"), Cluster, Storm,
        "How Thrift connections are made and who is at their other end.";
    STORM_WORKERS_ARTIFACTS_DIR = "storm.workers.artifacts.dir", Kind::Text, Fallback::Text("workers-artifacts"), Cluster, Storm,
        "Folder of the workers' logs; relative: beneath the folder of logs.";
    ZOOKEEPER_CONNECTION_TIMEOUT = "storm.zookeeper.connection.timeout", POSITIVE_MILLIS, Fallback::Whole(15_000), Cluster, Storm,
        "Time within which a connection to ZooKeeper must stand.";
    ZOOKEEPER_PORT = "storm.zookeeper.port", PORT, Fallback::Whole(2181), Cluster, Storm,
        "Port of the ZooKeeper servers.";
    ZOOKEEPER_RETRY_INTERVAL = "storm.zookeeper.retry.interval", POSITIVE_MILLIS, Fallback::Whole(1000), Cluster, Storm,
        "Pause before ZooKeeper is first tried again.";
    ZOOKEEPER_RETRY_CEILING = "storm.zookeeper.retry.intervalceiling.millis", POSITIVE_MILLIS, Fallback::Whole(30_000), Cluster, Storm,
        "Longest pause between two attempts at ZooKeeper.";
    ZOOKEEPER_RETRY_TIMES = "storm.zookeeper.retry.times", COUNT, Fallback::Whole(5), Cluster, Storm,
        "How often ZooKeeper is tried again.";
    ZOOKEEPER_ROOT = "storm.zookeeper.root", Kind::Text, Fallback::Text("/storm"), Cluster, Storm,
        "Path in ZooKeeper beneath which the cluster's state stands.";
    ZOOKEEPER_SERVERS = "storm.zookeeper.servers", Kind::Texts, Fallback::Texts(&["localhost"]), Cluster, Storm,
        "Hosts of the ZooKeeper ensemble. A local cluster keeps its state in a file of its own and reads none of these.";
    ZOOKEEPER_SESSION_TIMEOUT = "storm.zookeeper.session.timeout", POSITIVE_MILLIS, Fallback::Whole(20_000), Cluster, Storm,
        "Silence after which ZooKeeper drops a daemon's session and its ephemeral nodes.";
    SUPERVISOR_CPU_CAPACITY = "supervisor.cpu.capacity", Kind::Real, Fallback::Real(400.0), Cluster, Storm,
        "CPU that a supervisor offers, 100 for each core.";
    SUPERVISOR_ENABLE = "supervisor.enable", Kind::Flag, Fallback::Flag(true), Cluster, Storm,
        "Whether a supervisor starts workers.";
    SUPERVISOR_HEARTBEAT_FREQUENCY = "supervisor.heartbeat.frequency.secs", POSITIVE_SECS, Fallback::Whole(5), Cluster, Storm,
        "How often a supervisor tells the cluster that it lives.";
    SUPERVISOR_CACHE_SIZE = "supervisor.localizer.cache.target.size.mb", MIB, Fallback::Whole(10_240), Cluster, Storm,
        "Space that fetched blobs take before unused ones are removed.";
    SUPERVISOR_CACHE_CLEANUP = "supervisor.localizer.cleanup.interval.ms", POSITIVE_MILLIS, Fallback::Whole(30_000), Cluster, Storm,
        "How often unused blobs are looked for.";
    SUPERVISOR_BLOB_UPDATE = "supervisor.localizer.update.blob.interval.secs", POSITIVE_SECS, Fallback::Whole(30), Cluster, Storm,
        "How often a supervisor looks for new versions of blobs.";
    SUPERVISOR_MEMORY_CAPACITY = "supervisor.memory.capacity.mb", Kind::Real, Fallback::Real(4096.0), Cluster, Storm,
        "Memory in MiB that a supervisor offers.";
    SUPERVISOR_METRICS_PORT = "supervisor.metrics.port", Kind::Port { min: 0 }, Fallback::Whole(0), Cluster, Ours,
        "Loopback port on which a supervisor answers GET /metrics in Prometheus' text format. 0: any that is free.";
    SUPERVISOR_MONITOR_FREQUENCY = "supervisor.monitor.frequency.secs", POSITIVE_SECS, Fallback::Whole(3), Cluster, Storm,
        "How often a supervisor looks at its workers; the end of a process is seen at once.";
    SUPERVISOR_QUEUE_SIZE = "supervisor.queue.size", POSITIVE, Fallback::Whole(128), Cluster, Storm,
        "Calls that wait in a supervisor before further ones are refused.";
    SUPERVISOR_RESOURCES = "supervisor.resources.map", Kind::Amounts, Fallback::Unset, Cluster, Storm,
        "Further resources that a supervisor offers, by name. Unset: none.";
    SUPERVISOR_SLOTS_PORTS = "supervisor.slots.ports", Kind::Ports, Fallback::Wholes(&[6700, 6701, 6702, 6703]), Cluster, Storm,
        "Ports of a supervisor's slots, one worker each. A local cluster gives each supervisor a range of its own.";
    SUPERVISOR_MAX_BUFFER_SIZE = "supervisor.thrift.max_buffer_size", BYTES, Fallback::Whole(16_777_216), Cluster, Storm,
        "Largest frame that a supervisor accepts (Storm: 1048576).";
    SUPERVISOR_THRIFT_PORT = "supervisor.thrift.port", PORT, Fallback::Whole(6628), Cluster, Storm,
        "Port on which a supervisor serves Thrift. A local cluster counts up from it.";
    SUPERVISOR_SOCKET_TIMEOUT = "supervisor.thrift.socket.timeout.ms", POSITIVE_MILLIS, Fallback::Whole(5000), Cluster, Storm,
        "Silence after which a supervisor's Thrift connection is given up.";
    SUPERVISOR_THRIFT_THREADS = "supervisor.thrift.threads", POSITIVE, Fallback::Whole(16), Cluster, Storm,
        "Calls that a supervisor handles at once.";
    SUPERVISOR_WORKER_SHUTDOWN_SLEEP = "supervisor.worker.shutdown.sleep.secs", SECS, Fallback::Whole(3), Cluster, Storm,
        "Time between asking a worker to end and killing it.";
    SUPERVISOR_WORKER_START_TIMEOUT = "supervisor.worker.start.timeout.secs", POSITIVE_SECS, Fallback::Whole(120), Cluster, Storm,
        "Time that a new worker has until its first heartbeat.";
    SUPERVISOR_WORKER_TIMEOUT = "supervisor.worker.timeout.secs", POSITIVE_SECS, Fallback::Whole(30), Cluster, Storm,
        "Silence after which a worker is killed and started again.";
    TASK_CREDENTIALS_POLL = "task.credentials.poll.secs", POSITIVE_SECS, Fallback::Whole(30), Cluster, Storm,
        "How often a worker asks for new credentials.";
    TASK_REFRESH_POLL = "task.refresh.poll.secs", POSITIVE_SECS, Fallback::Whole(10), Cluster, Storm,
        "How often a worker asks for its assignment, beside being told.";
    UI_HOST = "ui.host", Kind::Text, Fallback::Text("0.0.0.0"), Cluster, Storm,
        "Address of the web interface.";
    UI_PORT = "ui.port", Kind::Port { min: 0 }, Fallback::Whole(8080), Cluster, Storm,
        "Port of the web interface.";
    WORKER_HEAP_MEMORY = "worker.heap.memory.mb", MIB, Fallback::Whole(768), Cluster, Storm,
        "Memory that a worker is counted with when its topology names none.";
    WORKER_HEARTBEAT_FREQUENCY = "worker.heartbeat.frequency.secs", POSITIVE_SECS, Fallback::Whole(1), Cluster, Storm,
        "How often a worker tells its supervisor that it lives.";
    WORKER_LOG_LEVEL_RESET_POLL = "worker.log.level.reset.poll.secs", POSITIVE_SECS, Fallback::Whole(30), Cluster, Storm,
        "How often a worker looks for log levels whose time is over.";
    WORKER_MAX_TIMEOUT = "worker.max.timeout.secs", POSITIVE_SECS, Fallback::Whole(600), Cluster, Storm,
        "Most that topology.worker.timeout.secs may say.";
}
