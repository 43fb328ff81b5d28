"""Words of the installation: what is done, what is in the way, and what to do."""

from __future__ import annotations

# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "There is no Python at {path}.": (
        "Bei {path} ist kein Python.",
        "No hay ningún Python en {path}.",
        "{path}にPythonがありません。",
        "{path} 处没有 Python。",
    ),
    "There is no Python at {path} that Blender's {cage} can see.": (
        "Bei {path} ist kein Python, das Blenders {cage} sehen kann.",
        "No hay ningún Python en {path} que el {cage} de Blender pueda ver.",
        "Blenderの{cage}から見えるPythonが{path}にありません。",
        "{path} 处没有 Blender 的 {cage} 可见的 Python。",
    ),
    "Use Blender's own archive, which sees all programs.": (
        "Das Archiv von Blender selbst nehmen; es sieht alle Programme.",
        "Usa el archivo oficial de Blender, que ve todos los programas.",
        "すべてのプログラムが見える、公式アーカイブ版のBlenderを使ってください。",
        "请使用 Blender 官方压缩包版本，它能看到所有程序。",
    ),
    "Choose another.": ("Bitte ein anderes wählen.", "Elige otro.", "別のものを選んでください。", "请另选一个。"),
    "No Python here can run the backend.": (
        "Kein Python hier kann das Backend ausführen.",
        "Ningún Python de aquí puede ejecutar el backend.",
        "バックエンドを実行できるPythonがありません。",
        "此处没有能运行后端的 Python。",
    ),
    "No Python here can run it: {error}": (
        "Kein Python hier kann es ausführen: {error}",
        "Ningún Python de aquí puede ejecutarlo: {error}",
        "実行できるPythonがありません：{error}",
        "此处没有能运行它的 Python：{error}",
    ),
    "Install Python {versions}, or say where it is.": (
        "Python {versions} installieren oder sagen, wo es ist.",
        "Instala Python {versions} o indica dónde está.",
        "Python {versions}をインストールするか、場所を指定してください。",
        "请安装 Python {versions}，或指定其位置。",
    ),
    "Install what makes them, or choose another.": (
        "Installieren, was sie erzeugt, oder ein anderes wählen.",
        "Instala lo que los crea o elige otro.",
        "作成に必要なものをインストールするか、別のものを選んでください。",
        "请安装所需组件，或另选一个。",
    ),
    "The backend runs on Python {versions}, and {path} is {version}.": (
        "Das Backend läuft mit Python {versions}, und {path} ist {version}.",
        "El backend usa Python {versions}, y {path} es {version}.",
        "バックエンドにはPython {versions}が必要ですが、{path}は{version}です。",
        "后端需要 Python {versions}，而 {path} 是 {version}。",
    ),
    "{path} cannot be run: {error}.": (
        "{path} lässt sich nicht ausführen: {error}.",
        "No se puede ejecutar {path}: {error}.",
        "{path}を実行できません：{error}。",
        "无法运行 {path}：{error}。",
    ),
    "{path} does not answer as a Python does": (
        "{path} antwortet nicht wie ein Python",
        "{path} no responde como un Python",
        "{path}はPythonとして応答しません",
        "{path} 的应答不像 Python",
    ),
    "{path} cannot make virtual environments. On Debian and Ubuntu: apt-get install python{version}-venv": (
        (
            "{path} kann keine virtuellen Umgebungen erzeugen. Auf Debian und Ubuntu: apt-get install "
            "python{version}-venv"
        ),
        "{path} no puede crear entornos virtuales. En Debian y Ubuntu: apt-get install python{version}-venv",
        "{path}は仮想環境を作れません。DebianとUbuntuでは：apt-get install python{version}-venv",
        "{path} 无法创建虚拟环境。Debian 和 Ubuntu：apt-get install python{version}-venv",
    ),
    "Install it in the preferences of Maquette.": (
        "Es lässt sich in den Einstellungen von Maquette installieren.",
        "Instálalo en las preferencias de Maquette.",
        "Maquetteのプリファレンスでインストールしてください。",
        "请在 Maquette 的偏好设置中安装。",
    ),
    "Install it in the preferences of Maquette, or name a Python that has it in MAQUETTE_PYTHON.": (
        "In den Einstellungen von Maquette installieren, oder in MAQUETTE_PYTHON ein Python nennen, das es hat.",
        "Instálalo en las preferencias de Maquette, o indica en MAQUETTE_PYTHON un Python que lo tenga.",
        "Maquetteのプリファレンスでインストールするか、それを持つPythonをMAQUETTE_PYTHONで指定してください。",
        "请在 Maquette 的偏好设置中安装，或用 MAQUETTE_PYTHON 指定已有它的 Python。",
    ),
    "Blender may not go online: allow that in the preferences under System, or choose a wheels folder": (
        (
            "Blender darf nicht online gehen: in den Einstellungen unter System erlauben, oder einen Ordner mit "
            "Wheels wählen"
        ),
        "Blender no puede conectarse: permítelo en las preferencias, en Sistema, o elige una carpeta de wheels",
        (
            "Blenderのオンラインアクセスが許可されていません。プリファレンスの「システム」で許可するか、wheelフォ"
            "ルダーを選んでください"
        ),
        "Blender 未获准联网：请在偏好设置的“系统”中允许，或选择 wheel 文件夹",
    ),
    "Fetching a model needs Allow Online Access, in the preferences under System": (
        "Ein Modell zu holen braucht den Online-Zugriff, in den Einstellungen unter System",
        "Para obtener un modelo, permite el acceso en línea en las preferencias, en Sistema",
        "モデルの取得には、プリファレンスの「システム」でオンラインアクセスの許可が必要です",
        "获取模型需要在偏好设置的“系统”中允许在线访问",
    ),
    "A Python of yours is used: clear Existing Python, or the variable MAQUETTE_PYTHON, first": (
        "Ein eigenes Python ist in Gebrauch: zuerst Vorhandenes Python oder die Variable MAQUETTE_PYTHON leeren",
        "Se usa un Python tuyo: vacía primero Python existente, o la variable MAQUETTE_PYTHON",
        "独自のPythonを使用中です。先に「既存のPython」か変数MAQUETTE_PYTHONを空にしてください",
        "正在使用您自己的 Python：请先清空“现有的 Python”或变量 MAQUETTE_PYTHON",
    ),
    "Wait until the other work on the backend is done": (
        "Bitte warten, bis die andere Arbeit am Backend fertig ist",
        "Espera a que termine el otro trabajo en el backend",
        "バックエンドの他の作業が終わるまでお待ちください",
        "请等待后端的其他操作完成",
    ),
    "Jobs are running: wait for them, or cancel them": (
        "Es laufen Aufträge: abwarten oder abbrechen",
        "Hay trabajos en curso: espera o cancélalos",
        "ジョブが実行中です。待つかキャンセルしてください",
        "有任务正在运行：请等待或取消",
    ),
    "The installation was stopped.": (
        "Die Installation wurde angehalten.",
        "La instalación se detuvo.",
        "インストールを停止しました。",
        "安装已停止。",
    ),
    "{text} ({done} of {total})": (
        "{text} ({done} von {total})",
        "{text} ({done} de {total})",
        "{text}（{done}/{total}）",
        "{text}（{done}/{total}）",
    ),
    "{text}; {path}, to which a link led, stays as it is": (
        "{text}; {path}, wohin eine Verknüpfung führte, bleibt, wie es ist",
        "{text}; {path}, adonde llevaba un enlace, queda como está",
        "{text}（リンク先の{path}はそのまま残ります）",
        "{text}；链接所指的 {path} 保持不变",
    ),
    "making the environment": ("Umgebung wird erzeugt", "creando el entorno", "環境を作成中", "正在创建环境"),
    "fetching {name}": ("{name} wird geholt", "obteniendo {name}", "{name}を取得中", "正在获取 {name}"),
    "unpacking {name}": ("{name} wird entpackt", "descomprimiendo {name}", "{name}を展開中", "正在解压 {name}"),
    "trying it out": ("wird ausprobiert", "probándolo", "試験中", "正在试运行"),
    "comparing files with the lock": (
        "Dateien werden verglichen",
        "comparando los archivos",
        "ファイルを照合中",
        "正在核对文件",
    ),
    "trying every engine": (
        "jede Engine wird ausprobiert",
        "probando cada motor de cálculo",
        "各エンジンを試験中",
        "正在试运行各引擎",
    ),
    "stopping": ("wird angehalten", "deteniendo", "停止中", "正在停止"),
    "Another process is installing into {folder}: {error}.": (
        "Ein anderer Prozess installiert gerade in {folder}: {error}.",
        "Otro proceso está instalando en {folder}: {error}.",
        "別のプロセスが{folder}にインストール中です：{error}。",
        "另一个进程正在安装到 {folder}：{error}。",
    ),
    "Wait until it is done.": (
        "Bitte warten, bis er fertig ist.",
        "Espera a que termine.",
        "終わるまでお待ちください。",
        "请等待其完成。",
    ),
    "End what uses it, and try again.": (
        "Beenden, was es benutzt, und noch einmal versuchen.",
        "Cierra lo que lo usa e inténtalo de nuevo.",
        "使用中のものを終了して、もう一度試してください。",
        "请关闭占用它的程序，然后重试。",
    ),
    "Choose another folder.": (
        "Bitte einen anderen Ordner wählen.",
        "Elige otra carpeta.",
        "別のフォルダーを選んでください。",
        "请另选文件夹。",
    ),
    "{folder} could not be made": (
        "{folder} konnte nicht angelegt werden",
        "No se pudo crear {folder}",
        "{folder}を作成できませんでした",
        "无法创建 {folder}",
    ),
    "{folder} could not be made: {error}.": (
        "{folder} konnte nicht angelegt werden: {error}.",
        "No se pudo crear {folder}: {error}.",
        "{folder}を作成できませんでした：{error}。",
        "无法创建 {folder}：{error}。",
    ),
    "{folder} could not be removed: {error}.": (
        "{folder} konnte nicht entfernt werden: {error}.",
        "No se pudo quitar {folder}: {error}.",
        "{folder}を削除できませんでした：{error}。",
        "无法移除 {folder}：{error}。",
    ),
    "{folder} has {free:.1f} GiB of free disk, and the packages need {needed} GiB. Make room first.": (
        "{folder} hat {free:.1f} GiB frei, und die Pakete brauchen {needed} GiB. Bitte zuerst Platz schaffen.",
        "{folder} tiene {free:.1f} GiB libres, y los paquetes necesitan {needed} GiB. Libera espacio primero.",
        "{folder}の空きは{free:.1f} GiBで、パッケージには{needed} GiBが必要です。先に空きを増やしてください。",
        "{folder} 可用空间为 {free:.1f} GiB，而软件包需要 {needed} GiB。请先腾出空间。",
    ),
    "{what}: the disk is full. Make room and run this again.": (
        "{what}: Die Festplatte ist voll. Bitte Platz schaffen und noch einmal starten.",
        "{what}: el disco está lleno. Libera espacio y repite.",
        "{what}：ディスクがいっぱいです。空きを増やしてもう一度実行してください。",
        "{what}：磁盘已满。请腾出空间后重试。",
    ),
    "{what}: the package index could not be reached. Check the network or the proxy and run this again.": (
        "{what}: Der Paketindex war nicht erreichbar. Bitte Netzwerk oder Proxy prüfen und noch einmal starten.",
        "{what}: no se pudo acceder al índice de paquetes. Comprueba la red o el proxy y repite.",
        "{what}：パッケージの配布元に接続できません。ネットワークかプロキシを確認して、もう一度実行してください。",
        "{what}：无法连接软件包索引。请检查网络或代理后重试。",
    ),
    "{what}: the file of {name} that was found is not one of those that the lock names.": (
        "{what}: Die gefundene Datei von {name} ist keine von denen, die erwartet werden.",
        "{what}: el archivo de {name} encontrado no es ninguno de los esperados.",
        "{what}：見つかった{name}のファイルは、想定されたものではありません。",
        "{what}：找到的 {name} 文件不在预期列表中。",
    ),
    "Use another package index, or another folder of wheels.": (
        "Einen anderen Paketindex oder einen anderen Ordner mit Wheels nehmen.",
        "Usa otro índice de paquetes u otra carpeta de wheels.",
        "別のパッケージ配布元かwheelフォルダーを使ってください。",
        "请使用其他软件包索引或 wheel 文件夹。",
    ),
    "a package": ("einem Paket", "un paquete", "パッケージ", "某个软件包"),
    "no reason was given.": (
        "es wurde kein Grund genannt.",
        "no se dio ningún motivo.",
        "理由は示されていません。",
        "未说明原因。",
    ),
    "Python could not make {folder}": (
        "Python konnte {folder} nicht anlegen",
        "Python no pudo crear {folder}",
        "Pythonが{folder}を作成できませんでした",
        "Python 无法创建 {folder}",
    ),
    "The packages could not be installed": (
        "Die Pakete konnten nicht installiert werden",
        "No se pudieron instalar los paquetes",
        "パッケージをインストールできませんでした",
        "无法安装软件包",
    ),
    "installed": ("installiert", "instalado", "インストール済み", "已安装"),
    "installed, without {name}": (
        "installiert, ohne {name}",
        "instalado, sin {name}",
        "インストール済み（{name}を除く）",
        "已安装，不含 {name}",
    ),
    "There is no CUDA for macOS.": (
        "Für macOS gibt es kein CUDA.",
        "No hay CUDA para macOS.",
        "macOS用のCUDAはありません。",
        "macOS 没有 CUDA。",
    ),
    "Install torch as pip is set up; there is one for the Mac.": (
        "Torch so installieren, wie pip eingerichtet ist; für den Mac gibt es eines.",
        "Instala torch según la configuración de pip; hay uno para Mac.",
        "pipの設定どおりにtorchをインストールしてください。Mac用があります。",
        "请按 pip 的配置安装 torch；它有 Mac 版本。",
    ),
    "There is no NVIDIA driver on this machine: {program} is not found.": (
        "Dieser Rechner hat keinen NVIDIA-Treiber: {program} fehlt.",
        "Este equipo no tiene controlador de NVIDIA: no se encuentra {program}.",
        "このコンピューターにNVIDIAのドライバーがありません：{program}が見つかりません。",
        "此计算机没有 NVIDIA 驱动程序：找不到 {program}。",
    ),
    "Install one from {page}, or install the torch for the processor.": (
        "Einen von {page} installieren, oder das Torch für den Prozessor nehmen.",
        "Instala uno desde {page}, o instala el torch para el procesador.",
        "{page}からインストールするか、プロセッサー用のtorchをインストールしてください。",
        "请从 {page} 安装，或安装处理器版 torch。",
    ),
    "{program} does not answer: {error}.": (
        "{program} antwortet nicht: {error}.",
        "{program} no responde: {error}.",
        "{program}が応答しません：{error}。",
        "{program} 没有应答：{error}。",
    ),
    "Install the driver again, or install the torch for the processor.": (
        "Den Treiber neu installieren, oder das Torch für den Prozessor nehmen.",
        "Reinstala el controlador, o instala el torch para el procesador.",
        "ドライバーを再インストールするか、プロセッサー用のtorchをインストールしてください。",
        "请重新安装驱动程序，或安装处理器版 torch。",
    ),
    "The NVIDIA driver does not work; {program} says: {said}": (
        "Der NVIDIA-Treiber funktioniert nicht; {program} sagt: {said}",
        "El controlador de NVIDIA no funciona; {program} dice: {said}",
        "NVIDIAのドライバーが動作しません。{program}の出力：{said}",
        "NVIDIA 驱动程序无法工作；{program} 的输出：{said}",
    ),
    "nothing": ("nichts", "nada", "なし", "无"),
    "The torch of {name} does not run here: {reason}.": (
        "Das Torch von {name} läuft hier nicht: {reason}.",
        "El torch de {name} no funciona aquí: {reason}.",
        "{name}のtorchはここでは動きません：{reason}。",
        "{name} 的 torch 无法在此运行：{reason}。",
    ),
    "Get a newer one from {page}.": (
        "Einen neueren gibt es bei {page}.",
        "Obtén uno más nuevo en {page}.",
        "新しいものを{page}から入手してください。",
        "请从 {page} 获取更新的版本。",
    ),
    "Choose a build of an older CUDA if there is one, or the torch for the processor.": (
        "Eines für ein älteres CUDA wählen, falls es das gibt, oder das Torch für den Prozessor.",
        "Elige uno para un CUDA anterior, si lo hay, o el torch para el procesador.",
        "あれば古いCUDA用のもの、なければプロセッサー用のtorchを選んでください。",
        "如有更旧 CUDA 的版本请选用，否则选择处理器版 torch。",
    ),
    "the driver {version} knows CUDA {known}, and torch needs {needed}": (
        "der Treiber {version} kennt CUDA {known}, und Torch braucht {needed}",
        "el controlador {version} admite CUDA {known}, y torch necesita {needed}",
        "ドライバー{version}が対応するのはCUDA {known}で、torchには{needed}が必要です",
        "驱动程序 {version} 支持 CUDA {known}，而 torch 需要 {needed}",
    ),
    "the driver knows CUDA {known}, and torch needs {needed}": (
        "der Treiber kennt CUDA {known}, und Torch braucht {needed}",
        "el controlador admite CUDA {known}, y torch necesita {needed}",
        "ドライバーが対応するのはCUDA {known}で、torchには{needed}が必要です",
        "驱动程序支持 CUDA {known}，而 torch 需要 {needed}",
    ),
    "{card} has compute capability {capability}, and this torch starts at {lowest}": (
        "{card} hat die Compute Capability {capability}, und dieses Torch beginnt bei {lowest}",
        "{card} tiene capacidad de cómputo {capability}, y este torch empieza en {lowest}",
        "{card}のCompute Capabilityは{capability}で、このtorchは{lowest}以上が対象です",
        "{card} 的计算能力为 {capability}，而此 torch 最低要求 {lowest}",
    ),
}
