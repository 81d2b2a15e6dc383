"""libtorrent as the tests need it; what it finds goes to stdout as lines of JSON.

    lt.py share IP PORT SAVE TORRENT [NODES [lsd]]    check what is there, download, seed until killed; a file or a link
    lt.py exchange IP PORT SAVE TORRENT    the same, with peer exchange
    lt.py exchange_slowly IP PORT SAVE TORRENT    the same, and hardly any bytes
    lt.py items IP PORT NODES TEXT TARGET...    put a text into the DHT, get what is at the targets
    lt.py show TORRENT                  what the torrent says
    lt.py check SAVE TORRENT            which pieces and files are good
    lt.py make DATA TORRENT PIECE_LEN   make a v1 torrent, files in the order of their paths
    lt.py make_as FLAGS PATH TORRENT       a torrent of this path; without flags it is v1 and v2
"""
import json
import os
import sys
import time

import libtorrent as lt


def say(**line):
    print(json.dumps(line), flush=True)


def in_dht(nodes):
    """Settings for a node among nodes that share a network, where every id is as good as another."""
    return {"enable_dht": True, "dht_bootstrap_nodes": nodes, "dht_restrict_routing_ips": False,
            "dht_restrict_search_ips": False, "dht_prefer_verified_node_ids": False, "dht_enforce_node_id": False,
            "dht_ignore_dark_internet": False, "dht_announce_interval": 5}


def begin(torrent, save, **settings):
    category = lt.alert.category_t
    quiet = {"enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
             "enable_outgoing_utp": False, "enable_incoming_utp": False, "dht_bootstrap_nodes": "",
             "in_enc_policy": 2, "out_enc_policy": 2, "allow_multiple_connections_per_ip": True,
             "ssrf_mitigation": False, "alert_mask": category.error_notification | category.status_notification |
             category.tracker_notification | category.connect_notification}
    session = lt.session({**quiet, **settings})
    if torrent.startswith("magnet:"):
        params = lt.parse_magnet_uri(torrent)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(torrent)
    params.save_path = save
    flags = lt.torrent_flags
    params.flags &= ~(flags.auto_managed | flags.paused)
    params.flags |= flags.disable_pex
    if not settings.get("enable_lsd"):
        params.flags |= flags.disable_lsd
    if not settings.get("enable_dht"):
        params.flags |= flags.disable_dht
    return session, session.add_torrent(params)


def exchange(ip, port, save, torrent, nodes=""):
    share(ip, port, save, torrent, nodes, exchanges=True)


def exchange_slowly(ip, port, save, torrent, nodes=""):
    share(ip, port, save, torrent, nodes, exchanges=True, rate=1000)


def share(ip, port, save, torrent, nodes="", lsd=None, exchanges=False, rate=-1):
    dht = in_dht(nodes) if nodes else {}
    session, handle = begin(torrent, save, listen_interfaces=ip + ":" + port, outgoing_interfaces=ip,
                            enable_lsd=lsd is not None, **dht)
    if exchanges:
        handle.unset_flags(lt.torrent_flags.disable_pex)
    handle.set_download_limit(rate)
    handle.set_upload_limit(rate)
    say(hash=str(handle.info_hashes().v1))
    told, met = False, False
    while True:
        session.wait_for_alert(50)
        for alert in session.pop_alerts():
            if isinstance(alert, (lt.torrent_error_alert, lt.file_error_alert, lt.listen_failed_alert)):
                sys.exit(alert.message())
            print(alert.message(), file=sys.stderr, flush=True)
        if not met and handle.status().num_peers > 0:
            met = True
            say(peers=handle.status().num_peers)
        if not told and handle.status().is_seeding:
            told = True
            say(has_all=True)


def show(torrent):
    info = lt.torrent_info(torrent)
    files = info.files()
    say(name=info.name(), hash=str(info.info_hashes().v1), hash_v2=str(info.info_hashes().v2), size=info.total_size(), piece_length=info.piece_length(),
        pieces=info.num_pieces(), private=info.priv(), comment=info.comment(),
        trackers=[tracker.url for tracker in info.trackers()],
        files=[{"path": files.file_path(i), "size": files.file_size(i)} for i in range(files.num_files())])


def items(ip, port, nodes, text, *targets):
    category = lt.alert.category_t
    session = lt.session({**in_dht(nodes), "listen_interfaces": ip + ":" + port, "outgoing_interfaces": ip,
                          "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
                          "alert_mask": category.dht_notification | category.status_notification})
    put, stored, got, asked, knows = None, 0, {}, 0.0, False
    while not stored or len(got) < len(targets):
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            knows |= isinstance(alert, lt.dht_bootstrap_alert)
            if isinstance(alert, lt.dht_put_alert):
                stored = alert.num_success
            elif isinstance(alert, lt.dht_immutable_item_alert):
                if alert.item["value"] is not None:
                    got[str(alert.target)] = alert.item["value"].decode()
        # Before it knows anybody it finds nothing and keeps nothing.
        if knows and time.monotonic() - asked > 2:
            asked = time.monotonic()
            if not stored:
                put = session.dht_put_immutable_item(text)
            for target in targets:
                session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(target)))
    say(put=str(put), stored=stored, got=got)
    os._exit(0)


def check(save, torrent):
    session, handle = begin(torrent, save, listen_interfaces="", outgoing_interfaces="lo")
    busy = (lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data)
    while handle.status().state in busy:
        time.sleep(0.02)
    status = handle.status(lt.torrent_handle.query_pieces)
    files = handle.torrent_file().files()
    have = handle.file_progress()
    say(pieces=list(status.pieces), files=[
        {"path": files.file_path(i), "size": files.file_size(i), "have": have[i]} for i in range(files.num_files())])
    # The end of a session would wait for its trackers.
    os._exit(0)


def make(data, torrent, piece_len):
    parent, name = os.path.split(os.path.abspath(data))
    found = [os.path.relpath(os.path.join(top, one), data).split(os.sep)
             for top, _, names in os.walk(data) for one in names]
    files = lt.file_storage()
    for parts in sorted(found, key=lambda parts: [part.encode() for part in parts]):
        path = os.path.join(name, *parts)
        files.add_file(path, os.path.getsize(os.path.join(parent, path)))
    made = lt.create_torrent(files, int(piece_len), lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, parent)
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))
    say(made=True)


def make_as(flags, path, torrent):
    files = lt.file_storage()
    lt.add_files(files, path)
    made = lt.create_torrent(files, 65536, int(flags))
    lt.set_piece_hashes(made, os.path.dirname(path))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))
    say(made=torrent)


{"share": share, "exchange": exchange, "exchange_slowly": exchange_slowly, "show": show, "check": check, "make": make, "items": items, "make_as": make_as}[sys.argv[1]](*sys.argv[2:])
