//! Every bound on what is read from the host, in one place.

/// Most bytes of a file that is read whole; the rest of a longer one is not looked at.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Most network devices that are made and removed by one request.
pub const NET_DEVICES_AT_ONCE_MAX: usize = 64;

/// Most bytes of a table of the kernel or of leases.
pub const TABLE_BYTES_MAX: u64 = 1024 * 1024;

/// Most bytes of one `/proc/PID/stat` that are looked at. The kernel writes some 350.
pub const STAT_BYTES_MAX: usize = 4 * 1024;

/// Most processes that are shown; where there are more, those with the lowest PIDs. A table has to
/// have room for those of one second beside those of the next.
pub const PROCESSES_MAX: usize = 4_096;

/// Longest name of a host, in bytes, that Linux takes.
pub const HOST_NAME_BYTES_MAX: usize = 64;

/// Most changes of one file that can be taken back exactly; those before are undone line by line.
pub const EDITS_MAX: usize = 8;

/// Most DNS servers that are shown.
pub const DNS_SERVERS_MAX: usize = 64;

/// Most hosts of the neighbourhood that are shown, and most addresses of one of them.
pub const NEIGHBOURS_MAX: usize = 4_096;
/// See [`NEIGHBOURS_MAX`].
pub const NEIGHBOUR_ADDRESSES_MAX: usize = 64;

/// Most entries of the kernel's tables of neighbours that are looked at.
pub const NEIGHBOUR_ENTRIES_MAX: usize = 16_384;

/// Most ports and connections of TCP that are shown; of more, connections are left out first.
pub const ACTIVE_PORTS_MAX: usize = 4_096;

/// Most files of one folder of configuration files that are read.
pub const FILES_MAX: usize = 128;

/// Most time servers of one client that are shown.
pub const TIME_SERVERS_MAX: usize = 64;

/// Most addresses of one kind in a lease that are looked at.
pub const LEASE_ADDRESSES_MAX: usize = 16;

/// How deep blocks of dhclient's files go.
pub const LEASE_DEPTH_MAX: usize = 8;

/// Longest time-out of a diagnostics command, in milliseconds.
pub const DIAGNOSTICS_TIMEOUT_MAX: u32 = 60_000;

/// Most names that diagnostics have the host's resolver look up at once, those that were cancelled included.
pub const RESOLVERS_MAX: usize = 8;

/// Most echo requests of one command.
pub const PINGS_MAX: u32 = 1_000;

/// Most lookups of one command.
pub const LOOKUPS_MAX: u32 = 100;

/// Most users that are shown.
pub const USERS_MAX: usize = 1_024;

/// Most certificates that are shown.
pub const CERTIFICATES_MAX: usize = 512;

/// Most numbers of rows that are kept, rows that went included.
pub const ROW_NUMBERS_MAX: usize = 256;

/// Room for one answer of the kernel by netlink; it sends at most 32 KiB at once.
pub const NETLINK_BYTES_MAX: usize = 64 * 1024;

/// Most network devices that are looked at.
pub const NET_LINKS_MAX: usize = 4_096;

/// Most addresses of this host that are looked at.
pub const NET_ADDRESSES_MAX: usize = 16_384;

/// Most routes of each version of IP that are looked at.
pub const NET_ROUTES_MAX: usize = 16_384;

/// Most VLANs that are looked at, each as often as ports of bridges carry it.
pub const NET_PORT_VLANS_MAX: usize = 65_536;

/// Most rows of the host's network whose instance numbers are kept, those that are away among them.
pub const NET_NUMBERS_MAX: usize = 16_384;

/// Most bytes of the file that keeps what is configured of the network.
pub const STATE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Most deleted rows of the network that are remembered, so that a request can be taken back.
pub const REMOVED_ROWS_MAX: usize = 1_024;
