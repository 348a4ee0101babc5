"""The demos of the command line: each tells a story on a terminal.

neuron.py     one neuron: source, machine code, proof, times, picture
moons.py      a network learns to tell two moons apart
telling.py    what the demos share: headings, tables, times, files
two_moons.py  micrograd's demo: points, network, loss, training
plot.py       points and decision boundaries; the only importer of matplotlib
"""
