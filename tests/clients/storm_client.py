"""Apache Thrift's Python library with types made from our IDL: the folder of the generated types is the
first argument of every program here, Nimbus' port the second one."""

import sys

sys.path.insert(0, sys.argv[1])

from storm import Nimbus
from storm.ttypes import GlobalStreamId
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport

# The generated types are keys of maps, and the compiler gives them no hash.
GlobalStreamId.__hash__ = lambda self: hash((self.componentId, self.streamId))


def connect(port):
    transport = TSocket("127.0.0.1", port)
    transport.setTimeout(30_000)
    framed = TFramedTransport(transport)
    framed.open()
    return Nimbus.Client(TBinaryProtocol(framed))
