//! Numbers of the kernel's rtnetlink interface (`linux/rtnetlink.h`, `if_link.h`, `if_addr.h`, `if_bridge.h`).

/// Kinds of messages.
pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_SETLINK: u16 = 19;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
pub(super) const RTM_GETADDR: u16 = 22;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_GETROUTE: u16 = 26;
pub(super) const RTM_NEWNEIGH: u16 = 28;
pub(super) const RTM_DELNEIGH: u16 = 29;
pub(super) const RTM_GETNEIGH: u16 = 30;

/// Address families.
pub(super) const AF_UNSPEC: u8 = 0;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_BRIDGE: u8 = 7;
pub(super) const AF_INET6: u8 = 10;

/// Multicast groups.
pub(super) const RTNLGRP_LINK: u32 = 1;
pub(super) const RTNLGRP_NEIGH: u32 = 3;
pub(super) const RTNLGRP_IPV4_IFADDR: u32 = 5;
pub(super) const RTNLGRP_IPV4_ROUTE: u32 = 7;
pub(super) const RTNLGRP_IPV6_IFADDR: u32 = 9;
pub(super) const RTNLGRP_IPV6_ROUTE: u32 = 11;

/// Attributes of a link.
pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
pub(super) const IFLA_LINK: u16 = 5;
pub(super) const IFLA_MASTER: u16 = 10;
pub(super) const IFLA_OPERSTATE: u16 = 16;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_STATS64: u16 = 23;
pub(super) const IFLA_AF_SPEC: u16 = 26;
pub(super) const IFLA_EXT_MASK: u16 = 29;
pub(super) const IFLA_LINK_NETNSID: u16 = 37;

pub(super) const IFLA_INFO_KIND: u16 = 1;
pub(super) const IFLA_INFO_DATA: u16 = 2;
pub(super) const IFLA_INFO_SLAVE_KIND: u16 = 4;
pub(super) const IFLA_INFO_SLAVE_DATA: u16 = 5;

pub(super) const IFLA_VLAN_ID: u16 = 1;
pub(super) const IFLA_VLAN_PROTOCOL: u16 = 5;

pub(super) const IFLA_BR_FORWARD_DELAY: u16 = 1;
pub(super) const IFLA_BR_HELLO_TIME: u16 = 2;
pub(super) const IFLA_BR_MAX_AGE: u16 = 3;
pub(super) const IFLA_BR_AGEING_TIME: u16 = 4;
pub(super) const IFLA_BR_STP_STATE: u16 = 5;
pub(super) const IFLA_BR_PRIORITY: u16 = 6;
pub(super) const IFLA_BR_VLAN_FILTERING: u16 = 7;

pub(super) const IFLA_BRPORT_STATE: u16 = 1;
pub(super) const IFLA_BRPORT_PRIORITY: u16 = 2;
pub(super) const IFLA_BRPORT_COST: u16 = 3;

pub(super) const IFLA_BRIDGE_FLAGS: u16 = 0;
pub(super) const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
pub(super) const BRIDGE_FLAGS_SELF: u16 = 2;
pub(super) const BRIDGE_VLAN_INFO_PVID: u16 = 2;
pub(super) const BRIDGE_VLAN_INFO_UNTAGGED: u16 = 4;

pub(super) const RTEXT_FILTER_BRVLAN: u32 = 2;
pub(super) const RTEXT_FILTER_SKIP_STATS: u32 = 8;

/// Flags of a link.
pub(super) const IFF_UP: u32 = 0x1;
pub(super) const IFF_RUNNING: u32 = 0x40;

/// Hardware types.
pub(super) const ARPHRD_ETHER: u16 = 1;
pub(super) const ARPHRD_LOOPBACK: u16 = 772;

/// States of a link (RFC 2863).
pub(super) const OPER_UNKNOWN: u8 = 0;
pub(super) const OPER_NOT_PRESENT: u8 = 1;
pub(super) const OPER_LOWER_LAYER_DOWN: u8 = 3;
pub(super) const OPER_DORMANT: u8 = 5;
pub(super) const OPER_UP: u8 = 6;

/// Attributes of an address.
pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;
pub(super) const IFA_BROADCAST: u16 = 4;
pub(super) const IFA_CACHEINFO: u16 = 6;
pub(super) const IFA_FLAGS: u16 = 8;

/// Flags of an address.
pub(super) const IFA_F_OPTIMISTIC: u32 = 0x04;
pub(super) const IFA_F_DADFAILED: u32 = 0x08;
pub(super) const IFA_F_DEPRECATED: u32 = 0x20;
pub(super) const IFA_F_TENTATIVE: u32 = 0x40;
pub(super) const IFA_F_PERMANENT: u32 = 0x80;

/// Attributes of a route.
pub(super) const RTA_DST: u16 = 1;
pub(super) const RTA_OIF: u16 = 4;
pub(super) const RTA_GATEWAY: u16 = 5;
pub(super) const RTA_PRIORITY: u16 = 6;
pub(super) const RTA_PREFSRC: u16 = 7;
pub(super) const RTA_MULTIPATH: u16 = 9;
pub(super) const RTA_CACHEINFO: u16 = 12;
pub(super) const RTA_TABLE: u16 = 15;

pub(super) const RT_TABLE_MAIN: u32 = 254;
pub(super) const RTM_F_CLONED: u32 = 0x200;

/// Types of a route.
pub(super) const RTN_UNICAST: u8 = 1;
pub(super) const RTN_LOCAL: u8 = 2;
pub(super) const RTN_BLACKHOLE: u8 = 6;
pub(super) const RTN_UNREACHABLE: u8 = 7;
pub(super) const RTN_PROHIBIT: u8 = 8;

/// How far a route or an address reaches.
pub(super) const RT_SCOPE_UNIVERSE: u8 = 0;
pub(super) const RT_SCOPE_LINK: u8 = 253;
pub(super) const RT_SCOPE_NOWHERE: u8 = 255;

/// Who made a route.
pub(super) const RTPROT_KERNEL: u8 = 2;
pub(super) const RTPROT_BOOT: u8 = 3;
pub(super) const RTPROT_STATIC: u8 = 4;
pub(super) const RTPROT_RA: u8 = 9;
pub(super) const RTPROT_DHCP: u8 = 16;
pub(super) const RTPROT_OSPF: u8 = 188;
pub(super) const RTPROT_RIP: u8 = 189;

/// Attributes of a neighbour.
pub(super) const NDA_DST: u16 = 1;
pub(super) const NDA_LLADDR: u16 = 2;
pub(super) const NDA_MASTER: u16 = 9;

/// States of a neighbour.
pub(super) const NUD_REACHABLE: u16 = 0x02;
pub(super) const NUD_STALE: u16 = 0x04;
pub(super) const NUD_DELAY: u16 = 0x08;
pub(super) const NUD_PROBE: u16 = 0x10;
pub(super) const NUD_PERMANENT: u16 = 0x80;

/// A lifetime that does not end.
pub(super) const LIFETIME_INFINITE: u32 = u32::MAX;
