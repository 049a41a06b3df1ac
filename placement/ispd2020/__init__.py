"""The ISPD 2020 contest, "Wafer-scale deep learning accelerator placement" (Cerebras): its files and its rules."""
