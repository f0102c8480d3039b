"""The same service without our SDK: plain gRPC with the generated stubs, as in any language.

Rows travel as Arrow: one schema message, then record batches without it.

    python examples/raw_grpc.py [HOST:PORT]
"""

import sys

import grpc
import pyarrow as pa

from antiphon.v1 import control_pb2
from antiphon.v1.control_pb2_grpc import ControlStub


def main(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        control = ControlStub(channel)

        status = control.GetStatus(control_pb2.GetStatusRequest())
        print(f"instance {status.instance}: {len(status.replicas)} replicas")

        schema = None
        for response in control.Execute(control_pb2.ExecuteRequest(sql="SELECT 6 * 7 AS answer")):
            match response.WhichOneof("result"):
                case "schema":
                    schema = pa.ipc.read_schema(pa.py_buffer(response.schema.arrow_schema))
                case "batch":
                    message = pa.py_buffer(response.batch.batch)
                    print(pa.ipc.read_record_batch(message, schema).to_pylist())
                case "done":
                    print(response.done.tag)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6870")
