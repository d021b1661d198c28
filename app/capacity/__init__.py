"""What traffic of any size needs: storage, partitions, cores, nodes and network, from measured rates."""
