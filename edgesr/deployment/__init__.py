"""The network as it is deployed: static graphs, exact rewrites, and lowerings of the deformable convolution."""
