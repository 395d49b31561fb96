"""``python -m videosynth``"""

from videosynth.cli import entry

if __name__ == "__main__":
    entry()
