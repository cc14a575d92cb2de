import pytest
import real_data

from keras_hypertinypw import models, tasks
from keras_hypertinypw.batches import Batches
from keras_hypertinypw.datasets.windows import Windows

TASKS = tasks.TASKS


@pytest.mark.parametrize("name", TASKS)
def test_a_network_of_the_task_is_there(name):
    assert callable(getattr(models, TASKS[name].network))


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {"synthetic"}))
def test_data_that_are_not_there_are_said_to_be_missing(name, tmp_path):
    # So every source is the name of a loader with the common arguments.
    with pytest.raises(FileNotFoundError, match="Expected .*" + str(tmp_path)):
        TASKS[name].load("test", data_dir=tmp_path)


@pytest.mark.parametrize("name", TASKS)
def test_an_unknown_split_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="'train', 'validation' or 'test'"):
        TASKS[name].load("all", data_dir=tmp_path)


FOLDERS = {
    "apnea_rr": "apnea_ecg_annotations",
    "arabic_8": "arabic_speech_commands",
    "arabic_40": "arabic_speech_commands_mfcc",
    "speech_v1": "speech_commands_v1_mfcc",
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_network_takes_batches_of_the_real_data(name):
    task = TASKS[name]
    folder = real_data.require(FOLDERS[name])
    windows = task.load("validation", data_dir=folder)
    assert isinstance(windows, Windows) and not windows.multi_label
    x, y = Batches(windows, 32, 0, task.augment)[0]
    network = getattr(models, task.network)
    model = network(windows.x.shape[1:], len(windows.classes), width=8)
    assert model(x).shape == (len(y), len(windows.classes))
