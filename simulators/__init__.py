"""Small faithful servers of what the pipeline talks to, and the invented world that they serve.

For the demo, the tests and the benchmarks. They listen on loopback only. Nothing here is imported by the pipeline.
"""
