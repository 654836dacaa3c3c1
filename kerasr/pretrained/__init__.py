"""Large pretrained models of keras-hub that write down what is said."""
