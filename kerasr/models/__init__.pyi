from .conv1d_lstm import Conv1DLSTM as Conv1DLSTM
from .cost import count_macs as count_macs
from .residual_cnn import ResidualCNN as ResidualCNN
from .resnet import ResNet18 as ResNet18
from .resnet import ResNet34 as ResNet34
from .resnet import ResNet50 as ResNet50
from .stacked_lstm import StackedLSTM as StackedLSTM
