"""The words of the tab in German, Spanish, Japanese and Simplified Chinese. Blender puts them in the place of ours.

Names of fields, panels and buttons; sentences, which name files and numbers, are English still.
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import bpy

NAME = __name__
CONTEXTS = ("*", "Operator")  # labels of operators are looked up in the second
LOCALES = ("de", "es", "ja", "zh_HANS")  # Blender takes a language's own for each of its countries
ALSO = {"zh_CN": "zh_HANS"}  # as Blender 4.5 and earlier may call it

# fmt: off
# English: German, Spanish, Japanese, Simplified Chinese.
WORDS: dict[str, tuple[str, str, str, str]] = {
    "System": ("System", "Sistema", "方式", "系统"),
    "Subject": ("Motiv", "Motivo", "被写体", "主体"),
    "Prompt": ("Prompt", "Prompt", "プロンプト", "提示词"),
    "Negative Prompt": ("Negativer Prompt", "Prompt negativo", "ネガティブプロンプト", "反向提示词"),
    "Reference Images": ("Referenzbilder", "Imágenes de referencia", "参照画像", "参考图像"),
    "Reference Image": ("Referenzbild", "Imagen de referencia", "参照画像", "参考图像"),
    "Installed Model": ("Installiertes Modell", "Modelo instalado", "インストール済みモデル", "已安装的模型"),
    "Model": ("Modell", "Modelo", "モデル", "模型"),
    "Add Image": ("Bild hinzufügen", "Añadir imagen", "画像を追加", "添加图像"),
    "Shows": ("Zeigt", "Muestra", "内容", "显示内容"),
    "Elevation": ("Höhenwinkel", "Elevación", "仰角", "仰角"),
    "Azimuth": ("Azimut", "Acimut", "方位角", "方位角"),
    "Field of View": ("Sichtfeld", "Campo de visión", "視野角", "视野"),
    "Image": ("Bild", "Imagen", "画像", "图像"),
    "Preset": ("Voreinstellung", "Preajuste", "プリセット", "预设"),
    "Quick Test": ("Schnelltest", "Prueba rápida", "クイックテスト", "快速测试"),
    "Draft": ("Entwurf", "Borrador", "下書き", "草稿"),
    "Standard": ("Standard", "Estándar", "標準", "标准"),
    "Paper": ("Veröffentlichung", "Artículo", "論文", "论文"),
    "Seed": ("Startwert", "Semilla", "シード", "随机种"),
    "New Seed Each Time": (
        "Jedes Mal neuer Startwert", "Semilla nueva cada vez", "毎回新しいシード", "每次使用新随机种",
    ),
    "Output": ("Ausgabe", "Salida", "出力", "输出"),
    "Mesh": ("Mesh", "Malla", "メッシュ", "网格"),
    "Points": ("Punkte", "Puntos", "ポイント", "点"),
    "Generate": ("Erzeugen", "Generar", "生成", "生成"),
    "Options": ("Optionen", "Opciones", "オプション", "选项"),
    "Import When Done": ("Importieren, wenn fertig", "Importar al terminar", "完了時にインポート", "完成后导入"),
    "Mark as Asset": ("Als Asset markieren", "Marcar como recurso", "アセットとしてマーク", "标记为资产"),
    "Tags": ("Schlagwörter", "Etiquetas", "タグ", "标签"),
    "Stop After": ("Anhalten nach", "Detener después de", "停止する段階", "在此之后停止"),
    "Nothing": ("Nichts", "Nada", "なし", "无"),
    "Prior": ("Modell", "Modelo", "事前モデル", "先验模型"),
    "Embedded": ("Mitgeliefert", "Incluido", "内蔵", "内置"),
    "Folder": ("Ordner", "Carpeta", "フォルダー", "文件夹"),
    "Model Folder": ("Modellordner", "Carpeta del modelo", "モデルフォルダー", "模型文件夹"),
    "Processor Cores": ("Prozessorkerne", "Núcleos del procesador", "プロセッサーコア", "处理器核心"),
    "Advanced": ("Erweitert", "Avanzado", "詳細", "高级"),
    "Job": ("Auftrag", "Trabajo", "ジョブ", "任务"),
    "Warnings": ("Warnungen", "Advertencias", "警告", "警告"),
    "Starting": ("Startet", "Iniciando", "開始中", "正在启动"),
    "Waiting for its turn": ("Wartet, bis es dran ist", "Esperando su turno", "順番待ち", "等待轮到"),
    "Importing...": ("Importiert...", "Importando...", "インポート中...", "正在导入..."),
    "Cancel": ("Abbrechen", "Cancelar", "キャンセル", "取消"),
    "Cancelled": ("Abgebrochen", "Cancelado", "キャンセル済み", "已取消"),
    "Finish Now": ("Jetzt abschließen", "Terminar ahora", "今すぐ完了", "立即完成"),
    "Go On": ("Fortfahren", "Continuar", "続ける", "继续"),
    "Try Again": ("Erneut versuchen", "Reintentar", "再試行", "重试"),
    "Import": ("Importieren", "Importar", "インポート", "导入"),
    "Import Again": ("Erneut importieren", "Importar de nuevo", "再インポート", "再次导入"),
    "Open Folder": ("Ordner öffnen", "Abrir carpeta", "フォルダーを開く", "打开文件夹"),
    "Copy Report": ("Bericht kopieren", "Copiar informe", "レポートをコピー", "复制报告"),
    "History": ("Verlauf", "Historial", "履歴", "历史"),
    "Queued": ("In der Schlange", "En cola", "待機列", "已排队"),
    "Not Started": ("Nicht begonnen", "Sin empezar", "未開始", "未开始"),
    "Running": ("Läuft", "En curso", "実行中", "运行中"),
    "Finished": ("Fertig", "Terminado", "完了", "已完成"),
    "Failed": ("Fehlgeschlagen", "Fallido", "失敗", "失败"),
    "Interrupted": ("Unterbrochen", "Interrumpido", "中断", "已中断"),
    "Stopped": ("Angehalten", "Detenido", "停止", "已停止"),
    "Start": ("Starten", "Iniciar", "開始", "开始"),
    "Edit by Text": ("Mit Text ändern", "Editar con texto", "テキストで編集", "文本编辑"),
    "Edit by Text...": ("Mit Text ändern...", "Editar con texto...", "テキストで編集...", "文本编辑..."),
    "Mesh Again": ("Mesh neu erzeugen", "Rehacer la malla", "メッシュを再作成", "重新生成网格"),
    "Mesh Again...": ("Mesh neu erzeugen...", "Rehacer la malla...", "メッシュを再作成...", "重新生成网格..."),
    "Bake onto Mesh": ("Auf Mesh backen", "Procesar sobre la malla", "メッシュにベイク", "烘焙到网格"),
    "Bake onto Mesh...": ("Auf Mesh backen...", "Procesar sobre la malla...", "メッシュにベイク...", "烘焙到网格..."),
    "Levels of Detail": ("Detailstufen", "Niveles de detalle", "詳細レベル", "细节层次"),
    "Levels of Detail...": ("Detailstufen...", "Niveles de detalle...", "詳細レベル...", "细节层次..."),
    "Run Again": ("Noch einmal", "Ejecutar de nuevo", "もう一度実行", "再次运行"),
    "Use Settings": ("Einstellungen nehmen", "Usar ajustes", "設定を使う", "使用设置"),
    "Delete": ("Löschen", "Eliminar", "削除", "删除"),
    "Refresh": ("Aktualisieren", "Actualizar", "更新", "刷新"),
    "Queue": ("Warteschlange", "Cola", "キュー", "队列"),
    "Hold the Queue": ("Schlange anhalten", "Pausar la cola", "キューを止める", "暂停队列"),
    "Start the Queue": ("Schlange starten", "Iniciar la cola", "キューを開始", "启动队列"),
    "Batch": ("Stapel", "Lote", "バッチ", "批处理"),
    "Generate from Selected Images": (
        "Aus gewählten Bildern erzeugen", "Generar de las imágenes elegidas", "選択した画像から生成", "从所选图像生成",
    ),
    "Generate from a Folder": (
        "Aus einem Ordner erzeugen", "Generar de una carpeta", "フォルダーから生成", "从文件夹生成",
    ),
    "Reset": ("Zurücksetzen", "Restablecer", "リセット", "重置"),
    "All as in the preset": (
        "Alles wie voreingestellt", "Todo como en el preajuste", "すべてプリセット通り", "均与预设相同",
    ),
}
# fmt: on


def dictionary() -> dict[str, dict[tuple[str, str], str]]:
    """Return the words as Blender takes them: locale -> (context, English) -> word."""
    made = {
        locale: {(context, english): others[place] for english, others in WORDS.items() for context in CONTEXTS}
        for place, locale in enumerate(LOCALES)
    }
    return made | {other: made[locale] for other, locale in ALSO.items()}


def register_extra() -> None:
    """Give Blender the words."""
    bpy.app.translations.register(NAME, dictionary())


def unregister_extra() -> None:
    """Take them back."""
    bpy.app.translations.unregister(NAME)


CLASSES = ()
