# Numbers of PyTorch itself, in float64; test/torch/golden.test.ts compares the reference with them.
# Written by `python test/torch/golden.py > test/torch/golden.json` with PyTorch 2.13 (the cases from
# softsign on: 1.13), and `npm run format`.
import json
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)


def flat(tensor):
    return [float(f'{value:.13g}') for value in tensor.detach().reshape(-1).tolist()]


def short(tensor):
    """Three decimals, so that the file holds them exactly."""
    return torch.round(tensor.detach(), decimals=3)


class Maxout(nn.Module):
    def forward(self, z):
        return z.reshape(len(z), -1, 3).max(-1).values


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, z):
        return self.function(z)


class LearnedSwish(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, units))

    def forward(self, z):
        return z * torch.sigmoid(self.weight * z)


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


activations = [
    ('linear', lambda units: nn.Identity()),
    ('sigmoid', lambda units: nn.Sigmoid()),
    ('tanh', lambda units: nn.Tanh()),
    ('relu', lambda units: nn.ReLU()),
    ({'type': 'leakyRelu', 'alpha': 0.02}, lambda units: nn.LeakyReLU(0.02)),
    ({'type': 'prelu', 'alpha': 0.25}, lambda units: nn.PReLU(units, 0.25)),
    ({'type': 'prelu', 'alpha': 0.25}, lambda units: nn.PReLU(1, 0.25)),
    ({'type': 'elu', 'alpha': 0.1}, lambda units: nn.ELU(0.1)),
    ('selu', lambda units: nn.SELU()),
    ('softplus', lambda units: nn.Softplus(threshold=100)),
    ('swish', lambda units: nn.SiLU()),
    ({'type': 'swish', 'beta': 1, 'learned': True}, LearnedSwish),
    ('gelu', lambda units: nn.GELU()),
    ({'type': 'gelu', 'approximate': 'tanh'}, lambda units: nn.GELU(approximate='tanh')),
    ('abs', lambda units: Function(torch.abs)),
    ({'type': 'sine', 'omega': 3}, lambda units: Function(lambda z: torch.sin(3 * z))),
    ({'type': 'maxout', 'pieces': 3}, lambda units: Maxout()),
]

classes = torch.tensor([2, 0, 1, 2])
probabilities = torch.tensor([[0.2, 0.3, 0.5], [0.75, 0.25, 0.0], [0.1, 0.6, 0.3], [0.4, 0.2, 0.4]])
bits = torch.bernoulli(torch.full((4, 3), 0.5))
numbers = short(torch.randn(4, 3))
weights = [0.5, 2.0, 1.25]
samples = torch.tensor([1.0, 0.5, 2.0, 0.0])
weight = torch.tensor(weights)


def weighted(loss):
    return lambda z, y: (samples * loss(z, y, reduction='none').reshape(4, -1).mean(-1)).mean()


losses = [
    ({'type': 'softmaxCrossEntropy'}, classes, F.cross_entropy, None),
    ({'type': 'softmaxCrossEntropy'}, probabilities, F.cross_entropy, None),
    ({'type': 'softmaxCrossEntropy', 'labelSmoothing': 0.1}, classes, lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), None),
    ({'type': 'softmaxCrossEntropy', 'labelSmoothing': 0.1}, probabilities, lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), None),
    ({'type': 'softmaxCrossEntropy', 'classWeights': weights}, classes, lambda z, y: F.cross_entropy(z, y, weight=weight), None),
    ({'type': 'softmaxCrossEntropy', 'classWeights': weights, 'labelSmoothing': 0.2}, classes, lambda z, y: F.cross_entropy(z, y, weight=weight, label_smoothing=0.2), None),
    ({'type': 'softmaxCrossEntropy', 'classWeights': weights, 'labelSmoothing': 0.2}, probabilities, lambda z, y: F.cross_entropy(z, y, weight=weight, label_smoothing=0.2), None),
    ({'type': 'softmaxCrossEntropy'}, classes, weighted(F.cross_entropy), samples),
    ({'type': 'binaryCrossEntropy'}, bits, F.binary_cross_entropy_with_logits, None),
    ({'type': 'binaryCrossEntropy'}, bits, weighted(F.binary_cross_entropy_with_logits), samples),
    ({'type': 'binaryCrossEntropy', 'positiveWeight': weights}, bits, lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=weight), None),
    ({'type': 'meanSquaredError'}, numbers, F.mse_loss, None),
    ({'type': 'meanSquaredError'}, numbers, weighted(F.mse_loss), samples),
    ({'type': 'meanAbsoluteError'}, numbers, F.l1_loss, None),
    ({'type': 'huber', 'delta': 1}, numbers, F.huber_loss, None),
    ({'type': 'huber', 'delta': 0.3}, numbers, lambda z, y: F.huber_loss(z, y, delta=0.3), None),
]

O = torch.optim
optimizers = [
    ({'type': 'sgd', 'learningRate': 0.1}, lambda p: O.SGD(p, 0.1)),
    ({'type': 'sgd', 'learningRate': 0.1, 'momentum': 0.9, 'dampening': 0.3, 'weightDecay': 0.05}, lambda p: O.SGD(p, 0.1, 0.9, 0.3, 0.05)),
    ({'type': 'sgd', 'learningRate': 0.1, 'momentum': 0.9, 'nesterov': True}, lambda p: O.SGD(p, 0.1, 0.9, nesterov=True)),
    ({'type': 'adagrad', 'learningRate': 0.1}, lambda p: O.Adagrad(p, 0.1)),
    ({'type': 'adagrad', 'learningRate': 0.1, 'learningRateDecay': 0.2, 'initialAccumulator': 0.3, 'weightDecay': 0.05}, lambda p: O.Adagrad(p, 0.1, 0.2, 0.05, 0.3)),
    ({'type': 'rmsprop', 'learningRate': 0.01}, lambda p: O.RMSprop(p, 0.01)),
    ({'type': 'rmsprop', 'learningRate': 0.01, 'decay': 0.9, 'momentum': 0.8, 'weightDecay': 0.05}, lambda p: O.RMSprop(p, 0.01, 0.9, weight_decay=0.05, momentum=0.8)),
    ({'type': 'rmsprop', 'learningRate': 0.01, 'centered': True, 'momentum': 0.8}, lambda p: O.RMSprop(p, 0.01, centered=True, momentum=0.8)),
    ({'type': 'adam', 'learningRate': 0.02}, lambda p: O.Adam(p, 0.02)),
    ({'type': 'adam', 'learningRate': 0.02, 'beta1': 0.8, 'beta2': 0.95, 'weightDecay': 0.05}, lambda p: O.Adam(p, 0.02, (0.8, 0.95), weight_decay=0.05)),
    ({'type': 'adamw', 'learningRate': 0.02}, lambda p: O.AdamW(p, 0.02)),
    ({'type': 'adamw', 'learningRate': 0.02, 'weightDecay': 0.3}, lambda p: O.AdamW(p, 0.02, weight_decay=0.3)),
]


def dense(inputs, units, make, name, columns=None):
    """A linear layer and its activation: modules, and (name, tensor, transposed) in the reference's order."""
    linear = nn.Linear(inputs, columns or units)
    activation = make(units)
    nn.init.normal_(linear.bias)
    names = [(f'{name}.weight', linear.weight, True), (f'{name}.bias', linear.bias, False)]
    return nn.Sequential(linear, activation), names + [(f'{name}.activation', p, False) for _, p in activation.named_parameters()]


def norm(make, units, name):
    module = make(units)
    nn.init.normal_(module.weight)
    nn.init.normal_(module.bias)
    names = [(f'{name}.weight', module.weight, False), (f'{name}.bias', module.bias, False)]
    if isinstance(module, nn.BatchNorm1d):
        names += [(f'{name}.running_mean', module.running_mean, False), (f'{name}.running_var', module.running_var, False)]
    return module, names


def parameters_of(names):
    return [{'name': n, 'shape': list(t.T.shape if turned else t.shape), 'data': flat(t.T if turned else t)} for n, t, turned in names]


def record(title, specs, module, names, loss, optimizer, steps=3, clip=None, penalties=None):
    loss_spec, targets, compute, sample_weights = loss
    optimizer_spec, make = optimizer
    for parameter in module.parameters():
        parameter.data = short(parameter)
    result = {'title': title, 'layers': specs, 'parameters': parameters_of(names), 'loss': loss_spec, 'optimizer': optimizer_spec}
    result |= {'clip': clip} if clip else {}
    result |= {'penalties': penalties} if penalties else {}
    result['batches'], result['steps'] = [], []
    optimizer = make(list(module.parameters()))
    for step in range(steps):
        X = short(torch.randn(4, 2))
        batch = {'inputs': flat(X), 'rows': 4, 'targets': flat(targets)}
        if sample_weights is not None:
            batch['weights'] = flat(sample_weights)
        result['batches'].append(batch)
        module.eval()
        outputs = flat(module(X))
        module.train()
        value = compute(module(X), targets)
        matrices = [t for n, t, turned in names if turned]
        if penalties:
            value = value + sum(penalties['l1'] * w.abs().sum() + penalties['l2'] * (w * w).sum() for w in matrices)
        optimizer.zero_grad()
        value.backward()
        gradients = [flat(t.grad.T if turned else t.grad) for n, t, turned in names if t.requires_grad]
        if clip and 'value' in clip:
            nn.utils.clip_grad_value_(module.parameters(), clip['value'])
        if clip and 'norm' in clip:
            nn.utils.clip_grad_norm_(module.parameters(), clip['norm'])
        optimizer.step()
        result['steps'].append({'loss': value.item(), 'outputs': outputs, 'gradients': gradients, 'parameters': [p['data'] for p in parameters_of(names)]})
    return result


def network(spec, make):
    columns = 9 if isinstance(spec, dict) and spec['type'] == 'maxout' else None
    first, names1 = dense(2, 3, make, '0', columns)
    second, names2 = dense(3, 3, lambda units: nn.Identity(), '1')
    specs = [{'type': 'dense', 'units': 3, 'activation': spec}, {'type': 'dense', 'units': 3, 'activation': 'linear'}]
    return specs, nn.Sequential(first, second), names1 + names2


def normalized(kind, make):
    first, names1 = dense(2, 3, lambda units: nn.Tanh(), '0')
    middle, names2 = norm(make, 3, '1')
    inner, names3 = dense(3, 3, lambda units: nn.GELU(), '2.0')
    inner2, names4 = dense(3, 3, lambda units: nn.Identity(), '2.1')
    last, names5 = dense(3, 3, lambda units: nn.Identity(), '3')
    block = {'type': 'residual', 'units': 3, 'layers': [{'type': 'dense', 'units': 3, 'activation': 'gelu'}, {'type': 'dense', 'units': 3, 'activation': 'linear'}]}
    specs = [{'type': 'dense', 'units': 3, 'activation': 'tanh'}, {'type': kind, 'units': 3}, block, {'type': 'dense', 'units': 3, 'activation': 'linear'}]
    return specs, nn.Sequential(first, middle, Residual(nn.Sequential(inner, inner2)), last), names1 + names2 + names3 + names4 + names5


tanh = ('tanh', lambda units: nn.Tanh())
cases = []
for spec, make in activations:
    cases.append(record(f'activation {json.dumps(spec)}', *network(spec, make), losses[0], optimizers[1], steps=2))
for loss in losses:
    cases.append(record(f'loss {json.dumps(loss[0])}', *network(*tanh), loss, optimizers[0], steps=2))
for optimizer in optimizers:
    cases.append(record(f'optimizer {json.dumps(optimizer[0])}', *network(*tanh), losses[10], optimizer, steps=3))
cases.append(record('batchNorm and residual', *normalized('batchNorm', nn.BatchNorm1d), losses[0], optimizers[1]))
cases.append(record('layerNorm and residual', *normalized('layerNorm', nn.LayerNorm), losses[10], optimizers[8]))
cases.append(record('clip by value', *network(*tanh), losses[10], optimizers[1], clip={'value': 0.1}))
cases.append(record('clip by norm', *network(*tanh), losses[10], optimizers[1], clip={'norm': 0.5}))
cases.append(record('penalties', *network(*tanh), losses[0], optimizers[1], penalties={'l1': 0.01, 'l2': 0.02}))
# Newer ones at the end: the random numbers of those before stay as they are.
cases.append(record('activation "softsign"', *network('softsign', lambda units: nn.Softsign()), losses[0], optimizers[1], steps=2))
log_cosh = ({'type': 'logCosh'}, numbers, lambda z, y: torch.log(torch.cosh(z - y)).mean(), None)
cases.append(record('loss {"type": "logCosh"}', *network(*tanh), log_cosh, optimizers[0], steps=2))


def groups(parameters):
    """Parameter groups: only weight matrices decay."""
    return [
        {'params': [p for p in parameters if p.dim() > 1]},
        {'params': [p for p in parameters if p.dim() < 2], 'weight_decay': 0},
    ]


# From here on each case has a seed of its own, so that it can be computed alone.
def add(seed, make):
    torch.manual_seed(seed)
    cases.append(make())


for seed, (spec, make) in enumerate([
    ({'type': 'sgd', 'learningRate': 0.1, 'momentum': 0.9}, lambda p: O.SGD(groups(p), 0.1, 0.9, weight_decay=0.3)),
    ({'type': 'adagrad', 'learningRate': 0.1}, lambda p: O.Adagrad(groups(p), 0.1, weight_decay=0.3)),
    ({'type': 'rmsprop', 'learningRate': 0.01}, lambda p: O.RMSprop(groups(p), 0.01, weight_decay=0.3)),
    ({'type': 'adam', 'learningRate': 0.02}, lambda p: O.Adam(groups(p), 0.02, weight_decay=0.3)),
    ({'type': 'adamw', 'learningRate': 0.02}, lambda p: O.AdamW(groups(p), 0.02, weight_decay=0.3)),
]):
    spec = spec | {'weightDecay': {'value': 0.3, 'on': 'weights'}}
    add(100 + seed, lambda: record(f'decay of weights, {spec["type"]}', *normalized('layerNorm', nn.LayerNorm), losses[10], (spec, make)))


class FrozenBatchNorm(nn.BatchNorm1d):
    def train(self, mode=True):
        return super().train(False)


def activated(middle, kind, **options):
    """Linear, norm, activation, Linear, PReLU, Linear: activations as layers of their own."""
    first, names1 = dense(2, 3, lambda units: nn.Identity(), '0')
    between, names2 = norm(middle, 3, '1')
    nn.init.normal_(between.running_mean)
    second, names3 = dense(3, 3, lambda units: nn.Identity(), '3')
    slope = nn.PReLU(3, 0.25)
    last, names4 = dense(3, 3, lambda units: nn.Identity(), '5')
    linear = {'type': 'dense', 'units': 3, 'activation': 'linear'}
    specs = [linear | options, {'type': 'batchNorm', 'units': 3} | options, {'type': 'activation', 'activation': kind}]
    specs += [linear, {'type': 'activation', 'activation': {'type': 'prelu', 'alpha': 0.25, 'per': 'unit'}}, linear]
    names = names1 + names2 + names3 + [('4.alpha', slope.weight, False)] + names4
    function = {'relu': nn.ReLU(), 'gelu': nn.GELU()}[kind]
    return specs, nn.Sequential(first, between, function, second, slope, last), names


def frozen():
    specs, module, names = activated(FrozenBatchNorm, 'gelu', trainable=False)
    for part in module[:2]:
        part.requires_grad_(False)
    return specs, module, names


add(200, lambda: record('layers of activations', *activated(nn.BatchNorm1d, 'relu'), losses[0], optimizers[1]))
add(201, lambda: record('frozen layers', *frozen(), losses[0], (optimizers[1][0], lambda p: optimizers[1][1]([q for q in p if q.requires_grad]))))
if __name__ == '__main__':
    print(json.dumps(cases, default=list))

